"""Validate a crate with roc-validator, whose Python runs this; prints what it finds as JSON.

The validator fetches the two JSON-LD contexts of a crate. Where there is no network it gets them
from contexts.json, which holds the terms that pyCyto's crates use, as both contexts define them;
a term that is not there is found, as it would be with the real ones if they lacked it.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path

import requests
import urllib3
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

CONTEXTS = json.loads(Path(__file__).with_name("contexts.json").read_text(encoding="utf-8"))
PROFILE = "provenance-run-crate"


class Shelf(requests.adapters.HTTPAdapter):
    """Answers as the web would, from contexts.json."""

    def send(self, request, **_options):
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(json.dumps(CONTEXTS[request.url]).encode()),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
            request_url=request.url,
        )
        return self.build_response(request, raw)


def main(crate: str, severity: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache, plain = Path(folder) / "http", Path(folder) / "crate"
        plain.symlink_to(Path(crate).resolve())  # the validator takes a ? in its path for a query
        HttpRequester.initialize_cache(cache_path=str(cache))
        session = HttpRequester().session
        session.mount("https://w3id.org/", Shelf())
        for address in CONTEXTS:
            session.get(address).raise_for_status()
        settings = ValidationSettings(
            rocrate_uri=str(plain),
            profile_identifier=PROFILE,
            requirement_severity=Severity[severity],
            cache_path=cache,
            offline=True,
        )
        result = services.validate(settings)
        issues = [
            {
                "severity": issue.severity.name,
                "check": issue.check.identifier,
                "message": issue.message,
                "entity": issue.violatingEntity,
                "property": issue.violatingProperty,
                "value": issue.violatingPropertyValue,
            }
            for issue in result.get_issues()
        ]
        skipped = [check.identifier for check in result.skipped_checks]
        print(
            json.dumps(
                {"issues": issues, "executed": len(result.executed_checks), "skipped": skipped}
            )
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

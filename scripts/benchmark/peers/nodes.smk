# No-op nodes for Snakemake: n0, n1, …; in a chain each needs the one before.
count = int(config["count"])
chained = config["shape"] == "chain"

if config["image"]:
    container: config["image"]


rule all:
    input:
        f"n{count - 1}" if chained else [f"n{number}" for number in range(count)],


rule node:
    output:
        "n{number,[0-9]+}",
    input:
        lambda place: f"n{int(place.number) - 1}" if chained and place.number != "0" else [],
    shell:
        "python3 -c pass && touch {output}" if config["image"] else "touch {output}"

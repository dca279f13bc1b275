"""The picture of a graph: which boxes, and where."""

from __future__ import annotations

import itertools

from cyto.report.data import graph_part
from cyto.report.folding import Box, fold
from cyto.report.layering import draw


def boxes(**before):
    return [Box(key=name, name=name, nodes=[i], before=list(b))
            for i, (name, b) in enumerate(before.items())]  # fmt: skip


def overlapping(places):
    return [
        (a, b)
        for (a, p), (b, q) in itertools.combinations(places.items(), 2)
        if p.x < q.x + q.width
        and q.x < p.x + p.width
        and p.y < q.y + q.height
        and q.y < p.y + p.height
    ]


def test_a_channel_is_a_box_and_what_reads_it_comes_after(recorded):
    recorded.start(
        {
            "seg": recorded.node(inputs={"image": "tcell"}),
            "feat": recorded.node(
                inputs={"label": "seg.label", "tcell": "tcell"}, dependencies=["seg"]
            ),
        },
        channels={"tcell": {"path": "/t.tif"}, "unread": {"path": "/u.tif"}},
    )
    found = fold(recorded.view())
    assert [(box.name, box.nodes) for box in found] == [("tcell", []), ("seg", [0]), ("feat", [1])]
    assert found[2].before == ["node seg", "channel tcell"]


def test_a_node_with_a_dot_in_its_name_is_found(recorded):
    recorded.start(
        {"seg.v2": recorded.node(), "feat": recorded.node(inputs={"label": "seg.v2.label"},
                                                          dependencies=["seg.v2"])}
    )  # fmt: skip
    assert fold(recorded.view())[1].before == ["node seg.v2"]


def test_samples_are_one_box_per_node(recorded):
    nodes = {}
    for sample in ("a1", "a2", "a3"):
        nodes[f"{sample}/seg"] = recorded.node(inputs={"image": f"{sample}/tcell"})
        nodes[f"{sample}/death"] = recorded.node(dependencies=[f"{sample}/seg"])
    nodes["survival"] = recorded.node(
        inputs={"cancer": "death.dataframe of 3 samples"},
        dependencies=[f"{s}/death" for s in ("a1", "a2", "a3")],
    )
    channels = {f"{sample}/tcell": {} for sample in ("a1", "a2", "a3")}
    found = {box.name: box for box in fold(recorded.start(nodes, channels=channels).view())}
    assert list(found) == ["tcell", "seg", "death", "survival"]
    assert found["seg"].nodes == [0, 2, 4]
    assert found["survival"].before == ["node death"]


def test_very_many_nodes_are_one_box_per_task_and_depth(recorded):
    nodes = {}
    for i in range(400):
        nodes[f"read{i}"] = recorded.node("mine.Read")
        nodes[f"count{i}"] = recorded.node("mine.Count", dependencies=[f"read{i}"])
    found = fold(recorded.start(nodes).view())
    assert [(box.name, len(box.nodes)) for box in found] == [
        ("read0 … read399", 400), ("count0 … count399", 400),
    ]  # fmt: skip
    assert found[1].before == [found[0].key]


def test_boxes_do_not_overlap_and_arrows_go_to_the_right():
    given = boxes(a=[], b=["a"], c=["a"], d=["b", "c"], e=["a", "d"], f=["a"], g=["f", "e"])
    drawing = draw(given)
    assert overlapping(drawing.places) == []
    assert {(start, end) for start, end, _ in drawing.arrows} == {
        (before, box.key) for box in given for before in box.before
    }
    for start, end, points in drawing.arrows:
        xs = [x for x, _ in points]
        assert xs == sorted(xs)
        assert drawing.places[start].x + drawing.places[start].width == xs[0]
        assert drawing.places[end].x == xs[-1]
    for place in drawing.places.values():
        assert 0 <= place.x <= drawing.width - place.width
        assert 0 <= place.y <= drawing.height - place.height


def test_a_long_arrow_passes_between_the_boxes():
    drawing = draw(boxes(a=[], b=["a"], c=["b"], d=["a", "c"]))
    points = next(p for start, end, p in drawing.arrows if (start, end) == ("a", "d"))
    for x, y in points[1:-1]:
        for place in drawing.places.values():
            inside = place.x < x < place.x + place.width and place.y < y < place.y + place.height
            assert not inside


def test_crossings_that_can_be_avoided_are():
    """Two chains that are listed crosswise."""
    drawing = draw(boxes(a=[], b=[], b2=["b"], a2=["a"], a3=["a2"], b3=["b2"]))
    tops = {name: place.y for name, place in drawing.places.items()}
    assert (tops["a"] < tops["b"]) == (tops["a2"] < tops["b2"]) == (tops["a3"] < tops["b3"])


def test_thousands_of_boxes_and_a_deep_chain_are_placed():
    chain = [Box(key=str(i), name="n", nodes=[i], before=[str(i - 1)] if i else [])
             for i in range(3000)]  # fmt: skip
    assert len(draw(chain).places) == 3000
    wide = [Box(key=str(i), name="n", nodes=[i], before=["0"] if i else []) for i in range(3000)]
    assert overlapping(dict(list(draw(wide).places.items())[:300])) == []


def test_an_empty_graph_is_a_picture_too(recorded):
    part = graph_part(recorded.start({}).view())
    assert (part["boxes"], part["arrows"]) == ([], [])

"""Graphs as pictures: everything has its place, and what has none is counted."""

import re

from concurtrace.reports.html.graph import WIDTH, Arrow, ring


def test_two_nodes_stand_side_by_side_and_arrows_there_and_back_apart() -> None:
    picture = ring(["A", "B"], [Arrow(0, 1, "there"), Arrow(1, 0, "back", strong=True)])
    left, right = picture.nodes
    assert (left.name, left.anchor, right.name, right.anchor) == ("A", "end", "B", "start")
    assert left.y == right.y
    assert left.x < WIDTH / 2 < right.x
    there, back = picture.edges
    assert there.line != back.line
    assert there.y != back.y
    assert ("strong" in there.look, "strong" in back.look) == (False, True)


def test_nothing_leaves_the_picture() -> None:
    for many in range(2, 13):
        names = [f"node {number}" for number in range(many)]
        picture = ring(names, [Arrow(at, (at + 1) % many, "x") for at in range(many)])
        assert len(picture.nodes) == many
        for one in picture.nodes:
            assert 0 < one.x < WIDTH
            assert min(one.y, one.name_y) > 12
            assert max(one.y, one.name_y) < picture.height - 4
        for edge in picture.edges:
            assert re.fullmatch(r"M\d+ \d+Q\d+ \d+ \d+ \d+", edge.line)


def test_what_has_no_room_is_counted_and_the_first_are_drawn() -> None:
    names = [str(number) for number in range(60)]
    picture = ring(names, [Arrow(at, at + 1, str(at)) for at in range(59)])
    assert len(picture.nodes) == 12
    assert [one.label for one in picture.edges] == [str(at) for at in range(11)]
    assert picture.left_out == 59 - 11
    assert [one.number for one in picture.nodes] == list(range(1, 13))


def test_nothing_to_draw_is_an_empty_picture() -> None:
    assert ring([], []).nodes == ()

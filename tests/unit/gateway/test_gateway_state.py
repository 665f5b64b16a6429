"""Route table, request heads, settings and deadlines."""

from __future__ import annotations

import pytest

from slipway_contracts.model import Task
from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_gateway.control.copy import load_copy, save_copy
from slipway_gateway.control.table import RouteTable
from slipway_gateway.errors import BadRequest
from slipway_gateway.hotpath.deadlines import Deadlines
from slipway_gateway.hotpath.head import RequestIds, read_head
from slipway_gateway.settings import Settings, reject_unknown


def route(model="demo", **fields):
    backends = (BackendRoute(version="v1", weight=100, url="http://x"),)
    return ModelRoute(**{"model": model, "salt": "s", "backends": backends} | fields)


class TestTable:
    def test_swaps_whole_and_tells(self):
        table, told = RouteTable(), []
        table.on_change.append(lambda t: told.append(t.revision))
        assert not table.loaded
        assert table.apply([route(revision=3), route("b", revision=2)])
        assert not table.apply([route(revision=3), route("b", revision=2)])
        assert table.apply([route("b", revision=2)])
        assert table.get("demo") is None
        assert table.revision == 3
        assert told == [3, 3]

    def test_an_empty_set_counts_as_loaded(self):
        table = RouteTable()
        assert table.apply([])
        assert table.loaded

    def test_the_default_is_the_marked_or_the_only_one(self):
        table = RouteTable()
        assert table.default(Task.TEXT_GENERATION) is None
        table.apply([route("a")])
        assert table.default(Task.TEXT_GENERATION).model == "a"
        table.apply([route("a"), route("b")])
        assert table.default(Task.TEXT_GENERATION) is None
        table.apply([route("a"), route("b", default=True)])
        assert table.default(Task.TEXT_GENERATION).model == "b"
        assert table.default(Task.EMBEDDING) is None

    def test_the_copy(self, tmp_path):
        table = RouteTable()
        table.apply([route(revision=7, overdue_ms=20.0)])
        save_copy(tmp_path / "routes.json", table.dump())
        assert (tmp_path / "routes.json").stat().st_mode & 0o777 == 0o600
        fresh = RouteTable()
        assert fresh.restore(load_copy(tmp_path / "routes.json"))
        assert fresh.all() == table.all()
        assert fresh.revision == 7

    @pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b"[3]", b'[{"model": 1}]'])
    def test_a_broken_copy_is_left(self, tmp_path, content):
        (tmp_path / "routes.json").write_bytes(content)
        copy = load_copy(tmp_path / "routes.json")
        assert copy is None or not RouteTable().restore(copy)
        assert load_copy(tmp_path / "none") is None


class TestHead:
    def test_reads_the_decisive_headers(self):
        head = read_head(
            [(b"authorization", b"Bearer x"), (b"x-conversation-id", b" c1 "), (b"accept", b"*")]
        )
        assert (head.authorization, head.conversation) == ("Bearer x", "c1")
        head.check()

    @pytest.mark.parametrize(
        "name", [b"authorization", b"x-conversation-id", b"x-user-id", b"content-length"]
    )
    def test_twice_is_refused(self, name):
        head = read_head([(name, b"1"), (name, b"1")])
        with pytest.raises(BadRequest, match=name.decode()):
            head.check()

    def test_ids_are_bounded(self):
        with pytest.raises(BadRequest, match="conversation"):
            read_head([(b"x-conversation-id", b"x" * 513)]).check()

    @pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, b"\xff", b"a\tb"])
    def test_an_odd_request_id_is_replaced(self, given):
        assert len(RequestIds().of(read_head([(b"x-request-id", given)]))) == 32

    def test_a_sane_request_id_is_kept(self):
        assert RequestIds().of(read_head([(b"x-request-id", b"a.B-1:2_3")])) == "a.B-1:2_3"


class TestSettings:
    def test_from_the_environment(self, monkeypatch):
        monkeypatch.setenv("SLIPWAY_GATEWAY_DSN", "postgresql://u:secret@h/d")
        monkeypatch.setenv("SLIPWAY_GATEWAY_SLOT", "a1")
        settings = Settings()
        assert settings.dsn.get_secret_value().endswith("/d")
        assert "secret" not in repr(settings.redacted())
        assert settings.slot_dir.name == "a1"

    def test_a_typo_is_refused(self):
        with pytest.raises(ValueError, match="SLIPWAY_GATEWAY_BODY_LIMITS"):
            reject_unknown({"SLIPWAY_GATEWAY_BODY_LIMITS": "1", "PATH": "x"})

    def test_a_wrong_value_does_not_show_the_dsn(self, monkeypatch):
        monkeypatch.setenv("SLIPWAY_GATEWAY_DSN", "postgresql://u:secret@h/d")
        monkeypatch.setenv("SLIPWAY_GATEWAY_PORT", "x")
        with pytest.raises(ValueError, match="port") as error:
            Settings()
        assert "secret" not in str(error.value)


async def test_one_broken_deadline_does_not_stop_the_others():
    import asyncio

    checked = asyncio.Event()

    class Broken:
        def check(self, now):
            raise RuntimeError("broken")

    class Good:
        def check(self, now):
            checked.set()

    deadlines, broken = Deadlines(), Broken()
    deadlines.add(broken)
    deadlines.add(Good())
    task = asyncio.create_task(deadlines.run())
    await asyncio.wait_for(checked.wait(), 10)
    deadlines.remove(broken)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_forwarded_call_is_never_a_keyless_one():
    from slipway_gateway.errors import Unauthenticated
    from slipway_gateway.hotpath.admission import admit
    from slipway_gateway.tenants.keys import Keys

    keys, client = Keys(keyless_loopback=True, ttl=60), ("127.0.0.1", 1)
    assert admit(keys, read_head([]), client, 1.0).identity == "addr:127.0.0.1"
    for name in (b"x-forwarded-for", b"forwarded", b"x-real-ip"):
        with pytest.raises(Unauthenticated):
            admit(keys, read_head([(name, b"127.0.0.1")]), client, 1.0)
    with pytest.raises(Unauthenticated):
        admit(keys, read_head([]), None, 1.0)

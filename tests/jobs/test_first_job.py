"""The straight line: a job from `runProvision` to its last log byte."""

from pathlib import Path

from tests.support.api import Api


async def test_base_runs_here_and_its_log_arrives_whole(api: Api, data_dir: Path) -> None:
    server = await api.create_server()
    job = await api.run("base.yml", server)
    assert (job["number"], job["status"], job["recipeName"]) == (1, "PENDING", "base")
    assert (job["requestedBy"], job["logPath"]) == ("local", "jobs/1/ansible.log")

    chunks = [chunk async for chunk in api.log(job["id"])]

    text = "".join(chunk["text"] for chunk in chunks)
    assert text.encode() == (data_dir / job["logPath"]).read_bytes()
    assert 'ok: [srv-1] => {"changed": false, "ping": "pong"}' in text
    assert [chunk["after"] for chunk in chunks] == ["0", *(chunk["cursor"] for chunk in chunks[:-1])]
    assert [chunk["end"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    ended = await api.job(job["id"])
    assert (ended["status"], ended["failureReason"], ended["message"], ended["exitCode"]) == (
        "SUCCESS",
        None,
        None,
        0,
    )
    assert ended["logSize"] == len(text.encode())
    assert ended["lineCount"] == text.count("\n")

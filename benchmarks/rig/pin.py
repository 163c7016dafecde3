"""A reader that never ends its transaction, as a forgotten cursor or a long report does."""

from rig.child import Parent
from rig.database import connect, statements


def main() -> None:
    parent = Parent()
    db = connect(parent.config["db"], read_only=True)
    db.execute("begin")
    db.execute(statements()["bound"]).fetchall()
    parent.watch_stop()
    parent.ready()
    parent.stopped.wait()
    parent.report([])


if __name__ == "__main__":
    main()

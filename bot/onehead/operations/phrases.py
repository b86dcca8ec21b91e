"""What an operation does, in words that follow the name of a revision: "drops column `users.age`"."""

from __future__ import annotations

from onehead.operations import operation as ops
from onehead.operations.statement import shown

_ROWS = {"insert": "inserts rows into", "update": "updates rows of", "delete": "deletes rows of"}
_PROPERTIES = {"server_default": "default", "nullable": "NULL rule"}


def phrase(operation: ops.Operation) -> str:
    """What it does, without its subject."""
    return (
        _of_a_table(operation)
        or _of_a_part(operation)
        or _of_the_rest(operation)
        or _beside(operation)
        or "does something"
    )


def _of_a_table(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.CreateTable(table=table):
            found = f"creates table `{table}`"
        case ops.DropTable(table=table):
            found = f"drops table `{table}`"
        case ops.RenameTable(table=table, new=new):
            found = f"renames table `{table}` to `{new.name if new.schema == table.schema else new}`"
        case ops.CommentTable(table=table):
            found = f"changes the comment of `{table}`"
        case ops.Batch(table=table):
            found = f"rebuilds table `{table}` in batch mode" if operation.recreates else f"alters table `{table}`"
        case ops.ChangeRows(does=does, table=table):
            found = f"{_ROWS[does]} `{table}`"
    return found


def _of_a_part(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.AddColumn(table=table, column=column):
            found = f"adds column `{table}.{column.name}`"
        case ops.DropColumn(table=table, column=name):
            found = f"drops column `{table}.{name}`"
        case ops.AlterColumn():
            found = _altered(operation)
        case ops.CreateIndex(definition=index):
            found = f"creates index `{index.name or 'without a name'}` on `{index.table}`"
        case ops.DropIndex(name=named):
            found = f"drops index `{named}`"
        case ops.CreateConstraint(table=table, constraint=constraint):
            name = f" `{constraint.name}`" if constraint.name else ""
            found = f"adds the {constraint.kind} constraint{name} to `{table}`"
        case ops.DropConstraint(table=table, name=name):
            found = f"drops constraint `{name}` of `{table}`"
    return found


def _altered(operation: ops.AlterColumn) -> str:
    where = f"`{operation.table}.{operation.column}`"
    if operation.new_name is not None:
        return f"renames column {where} to `{operation.new_name}`"
    if operation.nullable is False:
        return f"sets {where} to NOT NULL"
    changed = [_PROPERTIES.get(name, name) for name, _ in operation.changes]
    return f"changes the {' and the '.join(changed)} of {where}" if changed else f"alters column {where}"


def _of_the_rest(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.CreateEnum(enum=enum):
            found = f"creates type `{enum}`"
        case ops.DropEnum(enum=enum):
            found = f"drops type `{enum}`"
        case ops.RenameEnum(enum=enum, new=new):
            found = f"renames type `{enum}` to `{new.name if new.schema == enum.schema else new}`"
        case ops.AddLabel(enum=enum, label=label):
            found = f"adds the label `{label}` to type `{enum}`"
        case ops.RenameLabel(enum=enum, label=label):
            found = f"renames the label `{label}` of type `{enum}`"
        case ops.CreateOther(kind=kind, name=named):
            found = f"creates {kind} `{named}`"
        case ops.DropOther(kind=kind, name=named):
            found = f"drops {kind} `{named}`"
        case ops.Unknown(why=why, text=text):
            found = f"holds {why}: `{text.replace('`', chr(39))}`"
    return found


def _beside(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.RenameOther(kind=kind, name=named, new=new):
            found = f"renames {kind} `{named}` to `{new.name}`"
        case ops.Setting(table=table, name=name):
            found = f"sets the {name} of `{table}`"
        case ops.Query():
            found = "reads rows"
        case ops.Aside(text=text):
            found = f"runs `{shown(text).replace('`', chr(39))}`"
    return found

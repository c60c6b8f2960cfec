//! What a version that serves may go on expecting of a schema that a later one has migrated: everything that its
//! statements name, and that nothing new breaks them.

use std::collections::BTreeSet;

use crate::upgrades::catalog::{Reference, Table, Tables};

/// What `new` breaks of what a version that knows `old` expects; each a sentence. `old` holds what the version knows,
/// `new` what there is.
pub(crate) fn broken(old: &Tables, new: &Tables) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, before) in old {
        match new.get(name) {
            None => broken.push(format!("the table {name} is gone")),
            Some(now) => broken.extend(of_table(name, before, now)),
        }
    }
    for (name, table) in new {
        let new_references =
            |reference: &&Reference| !old.get(name).is_some_and(|old| old.references.contains(*reference));
        for reference in table.references.iter().filter(new_references) {
            if old.contains_key(&reference.table) && !reference.lets_go {
                broken.push(format!(
                    "{name} refers to {}, where a row cannot be deleted any more: ON DELETE CASCADE or SET NULL is missing",
                    reference.table
                ));
            }
        }
    }
    broken
}

fn of_table(name: &str, before: &Table, now: &Table) -> Vec<String> {
    let mut broken = Vec::new();
    for (column, known) in &before.columns {
        let Some(there) = now.columns.get(column) else {
            broken.push(format!("{name}.{column} is gone"));
            continue;
        };
        if there.kind != known.kind {
            broken.push(format!("{name}.{column} was {} and is {}", known.kind, there.kind));
        }
        match (known.nullable, there.nullable) {
            (true, false) => broken.push(format!("{name}.{column} may not be empty any more, and is written empty")),
            (false, true) => broken.push(format!("{name}.{column} may be empty now, which cannot be read")),
            _ => {}
        }
        if known.has_default && !there.has_default {
            broken.push(format!("{name}.{column} has no default any more, and is left out of inserts"));
        }
    }
    let is_new = |column: &&String| !before.columns.contains_key(*column);
    for (column, there) in now.columns.iter().filter(|(column, _)| is_new(column)) {
        if !there.nullable && !there.has_default {
            broken
                .push(format!("{name}.{column} is new, must have a value and has no default: inserts do not name it"));
        }
    }
    for columns in before.unique.difference(&now.unique) {
        broken.push(format!("{name} is not unique by {} any more, which ON CONFLICT may name", listed(columns)));
    }
    // Rows that are empty in one column of a unique constraint never meet.
    let stays_empty = |column: &String| {
        is_new(&column) && now.columns.get(column).is_some_and(|there| there.nullable && !there.has_default)
    };
    for columns in now.unique.difference(&before.unique).filter(|columns| !columns.iter().any(stays_empty)) {
        broken.push(format!("{name} is unique by {} now: rows that could be written cannot", listed(columns)));
    }
    for reference in now.references.difference(&before.references) {
        if !reference.columns.iter().any(stays_empty) {
            let columns = reference.columns.join(", ");
            broken.push(format!(
                "{name}.{columns} must be of {} now: rows that could be written cannot",
                reference.table
            ));
        }
    }
    for check in now.checks.difference(&before.checks) {
        broken.push(format!("{name} has a new check: {check}"));
    }
    broken
}

fn listed(columns: &BTreeSet<String>) -> String {
    columns.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upgrades::catalog::Column;

    fn column(kind: &str) -> Column {
        Column { kind: kind.to_owned(), nullable: false, has_default: false }
    }

    fn set(columns: &[&str]) -> BTreeSet<String> {
        columns.iter().map(|&column| column.to_owned()).collect()
    }

    /// A table of things, each with an owner and a note, which may be empty.
    fn things() -> Tables {
        let columns = [
            ("id", column("uuid")),
            ("owner", column("uuid")),
            ("note", Column { nullable: true, ..column("text") }),
            ("kind", Column { has_default: true, ..column("text") }),
        ];
        let columns = columns.map(|(name, column)| (name.to_owned(), column)).into();
        let table = Table { columns, unique: [set(&["id"])].into(), ..Table::default() };
        [("things".to_owned(), table)].into()
    }

    /// What a change of that table breaks.
    fn after(change: impl FnOnce(&mut Table)) -> Vec<String> {
        let mut new = things();
        change(new.get_mut("things").expect("the table"));
        broken(&things(), &new)
    }

    fn alter(table: &mut Table, column: &str, change: impl FnOnce(&mut Column)) {
        change(table.columns.get_mut(column).expect("the column"));
    }

    #[test]
    fn what_a_version_knows_must_stay_as_it_is() {
        assert_eq!(after(|_| {}), Vec::<String>::new());
        assert_eq!(broken(&things(), &Tables::new()), ["the table things is gone"]);
        assert_eq!(after(|table| drop(table.columns.remove("note"))), ["things.note is gone"]);
        let retyped = after(|table| alter(table, "owner", |owner| owner.kind = "text".to_owned()));
        assert_eq!(retyped, ["things.owner was uuid and is text"]);
        assert_eq!(after(|table| alter(table, "note", |note| note.nullable = false)).len(), 1);
        assert_eq!(after(|table| alter(table, "owner", |owner| owner.nullable = true)).len(), 1);
        assert_eq!(after(|table| alter(table, "kind", |kind| kind.has_default = false)).len(), 1);
        assert_eq!(after(|table| table.unique.clear()).len(), 1);
    }

    #[test]
    fn a_new_column_must_not_be_missed_in_inserts() {
        let add = |new: Column| after(|table| drop(table.columns.insert("new".to_owned(), new)));
        assert_eq!(add(column("text")).len(), 1);
        assert!(add(Column { nullable: true, ..column("text") }).is_empty());
        assert!(add(Column { has_default: true, ..column("text") }).is_empty());
    }

    #[test]
    fn nothing_new_forbids_what_could_be_written_and_deleted() {
        assert_eq!(after(|table| _ = table.unique.insert(set(&["owner"]))).len(), 1);
        assert_eq!(after(|table| _ = table.checks.insert("note <> ''".to_owned())).len(), 1);
        let own = Reference { columns: vec!["owner".to_owned()], table: "owners".to_owned(), lets_go: false };
        assert_eq!(after(|table| _ = table.references.insert(own)).len(), 1);
        let referring = |lets_go| {
            let reference = Reference { columns: vec!["thing".to_owned()], table: "things".to_owned(), lets_go };
            let mut new = things();
            let table = Table { references: [reference].into(), ..Table::default() };
            new.insert("parts".to_owned(), table);
            broken(&things(), &new).len()
        };
        assert_eq!((referring(false), referring(true)), (1, 0));
    }

    #[test]
    fn a_new_column_that_the_version_leaves_empty_may_be_unique() {
        let found = after(|table| {
            table.columns.insert("place".to_owned(), Column { nullable: true, ..column("bigint") });
            table.unique.insert(set(&["owner", "place"]));
        });
        assert_eq!(found, Vec::<String>::new());
    }
}

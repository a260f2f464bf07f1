//! Values go in and come out the same on both engines, and what one refuses the other refuses too.

use super::bed::{Bed, told};
use crate::store::catalog::{CatalogError, Connection, Fault, Row, Value};

super::on_both_engines!(
    every_kind_of_value_comes_back_as_it_was,
    names_are_ordered_by_their_bytes,
    parameters_are_bound_by_their_number,
    missing_parameters_are_refused,
    text_with_a_nul_character_is_refused,
    columns_of_other_kinds_are_refused,
    truth_values_are_0_and_1,
    rows_changed_are_counted,
    returned_rows_can_be_read_or_ignored,
    numbers_beside_literals_keep_their_size,
    errors_show_no_value,
);

fn put(connection: &mut dyn Connection, values: [Value; 4]) -> Result<u64, CatalogError> {
    connection.execute("INSERT INTO things (id, name, words, number) VALUES ($1, $2, $3, $4)", &values)
}

fn every_kind_of_value_comes_back_as_it_was(bed: &Bed) {
    let rows = [
        [Value::Int(i64::MIN), Value::Bytes(vec![0, 255, 0]), "snow ☃ and 'quotes'".into(), Value::Int(i64::MAX)],
        [Value::Int(-1), Value::Bytes(vec![]), "".into(), Value::Int(0)],
        [Value::Int(0), Value::Null, Value::Null, Value::Null],
        [Value::Int(i64::MAX), Value::Bytes(b"12".to_vec()), "12".into(), Value::Int(-1)],
    ];
    let wanted = rows.clone().map(|row| Row(row.to_vec()));
    bed.write(move |connection| rows.iter().cloned().try_for_each(|row| put(connection, row).map(drop))).unwrap();
    let found = bed.read(|connection| connection.query("SELECT id, name, words, number FROM things ORDER BY id", &[])).unwrap();
    assert_eq!(found, wanted);
}

fn names_are_ordered_by_their_bytes(bed: &Bed) {
    let mut names: Vec<&[u8]> =
        vec![b"b", b"a/b", b"", b"B", "é".as_bytes(), &[255], b"a", &[0], b"a\0", b"a b", b"a.b", "z".as_bytes(), &[127]];
    let inserted: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    bed.write(move |connection| {
        for (id, name) in (0..).zip(&inserted) {
            put(connection, [Value::Int(id), name.clone().into(), Value::Null, Value::Null])?;
        }
        Ok(())
    })
    .unwrap();
    let after_a = "SELECT name FROM things WHERE name > $1 ORDER BY name";
    let found = bed.read(move |connection| connection.query(after_a, &[Value::Bytes(b"a".to_vec())])).unwrap();
    let found: Vec<&[u8]> = found.iter().map(|row| row.bytes(0).unwrap()).collect();
    names.sort_unstable();
    names.retain(|name| *name > b"a".as_slice());
    assert_eq!(found, names);
}

fn parameters_are_bound_by_their_number(bed: &Bed) {
    bed.write(|connection| {
        let statement = "INSERT INTO things (number, words, name, id) VALUES ($2, $4, $3, $2 + $1)";
        connection.execute(statement, &[Value::Int(1), Value::Int(20), Value::Bytes(b"three".to_vec()), "four".into()])
    })
    .unwrap();
    let statement = "SELECT id, number, words FROM things WHERE name = $3 AND number = $2 AND id = $1 AND number = $2";
    let found = bed.read(move |connection| connection.query(statement, &[Value::Int(21), Value::Int(20), Value::Bytes(b"three".to_vec())]));
    assert_eq!(found.unwrap(), [Row(vec![Value::Int(21), Value::Int(20), "four".into()])]);
}

fn missing_parameters_are_refused(bed: &Bed) {
    let error =
        bed.read(|connection| connection.query("SELECT id FROM things WHERE id = $1 AND number = $2", &[Value::Int(1)])).unwrap_err();
    assert_eq!(error.fault, Fault::Failed);
    bed.read(|connection| connection.query("SELECT id FROM things", &[])).unwrap();
}

fn text_with_a_nul_character_is_refused(bed: &Bed) {
    let error = bed.write(|connection| put(connection, [Value::Int(1), Value::Null, "a\0b".into(), Value::Null])).unwrap_err();
    assert_eq!(error.fault, Fault::Failed);
    assert!(told(&error).contains("parameter $3 holds a NUL"), "{}", told(&error));
    assert!(bed.ids().is_empty());
}

fn columns_of_other_kinds_are_refused(bed: &Bed) {
    let error = bed.read(|connection| connection.query("SELECT 1.5", &[])).unwrap_err();
    assert_eq!(error.fault, Fault::Failed);
    assert!(told(&error).contains("neither integer, text nor bytes"), "{}", told(&error));
}

fn truth_values_are_0_and_1(bed: &Bed) {
    let found = bed.read(|connection| connection.query("SELECT 1 = 1, 1 = 2", &[])).unwrap();
    assert_eq!(found, [Row(vec![Value::Int(1), Value::Int(0)])]);
}

fn rows_changed_are_counted(bed: &Bed) {
    let changed = bed
        .write(|connection| {
            let insert = connection.execute("INSERT INTO things (id) VALUES (1), (2), (3)", &[])?;
            let none = connection.execute("UPDATE things SET number = 1 WHERE id = $1", &[Value::Int(9)])?;
            let update = connection.execute("UPDATE things SET number = 1 WHERE id >= $1", &[Value::Int(2)])?;
            let upsert = connection.execute("INSERT INTO things (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET number = 5", &[])?;
            let delete = connection.execute("DELETE FROM things", &[])?;
            let table = connection.execute("CREATE TABLE more (id BIGINT)", &[])?;
            Ok([insert, none, update, upsert, delete, table])
        })
        .unwrap();
    assert_eq!(changed, [3, 0, 2, 1, 3, 0]);
}

fn returned_rows_can_be_read_or_ignored(bed: &Bed) {
    let statement = "INSERT INTO things (id, number) VALUES ($1, 7) ON CONFLICT DO NOTHING RETURNING number + 1";
    let (read, conflict, ignored) = bed
        .write(move |connection| {
            let read = connection.query(statement, &[Value::Int(1)])?;
            let conflict = connection.query(statement, &[Value::Int(1)])?;
            Ok((read, conflict, connection.execute(statement, &[Value::Int(2)])?))
        })
        .unwrap();
    assert_eq!((read, conflict.len(), ignored), (vec![Row(vec![Value::Int(8)])], 0, 1));
    assert_eq!(bed.ids(), [1, 2]);
}

fn numbers_beside_literals_keep_their_size(bed: &Bed) {
    let found = bed.read(|connection| connection.query("SELECT $1 + 1", &[Value::Int(1_795_176_000_000_000)])).unwrap();
    assert_eq!(found[0].int(0).unwrap(), 1_795_176_000_000_001);
}

fn errors_show_no_value(bed: &Bed) {
    bed.write(|connection| connection.script("CREATE TABLE secrets (secret TEXT NOT NULL PRIMARY KEY, other BIGINT NOT NULL)")).unwrap();
    let statement = "INSERT INTO secrets (secret, other) VALUES ($1, $2)";
    let null = bed.write(move |connection| connection.execute(statement, &["swordfish".into(), Value::Null])).unwrap_err();
    bed.write(move |connection| connection.execute(statement, &["swordfish".into(), Value::Int(1)])).unwrap();
    let twice = bed.write(move |connection| connection.execute(statement, &["swordfish".into(), Value::Int(1)])).unwrap_err();
    for error in [null, twice] {
        assert_eq!(error.fault, Fault::Failed);
        assert!(!told(&error).contains("swordfish"), "{}", told(&error));
        assert!(told(&error).contains("secrets"), "{}", told(&error));
    }
}

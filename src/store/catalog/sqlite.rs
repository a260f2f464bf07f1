//! SQLite: what one text of SQL cannot say.

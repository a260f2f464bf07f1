//! PostgreSQL: what one text of SQL cannot say.

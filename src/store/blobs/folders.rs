//! Which folders this process has made durable.

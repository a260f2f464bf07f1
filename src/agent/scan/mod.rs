//! Which files a backup takes: what the selection covers, but for file systems that are no files, sockets, and the agent's own folder.

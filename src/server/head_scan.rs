//! Where a request's head ends in the bytes of a connection, so that those of its body can be counted, and what only the bytes
//! tell of it.

/// Looks for the empty line after a request's first line. It says nothing about whether the head is right: the HTTP
/// parser judges that, and both take a line to end at its line feed.
#[derive(Default)]
pub struct HeadScan {
    /// A `#` stands in the first line. The parser drops it from the target, and whatever follows it: `/report#1.tar` would be
    /// taken for `/report`.
    cuts_target: bool,
    /// A `#` stands behind the head, in its body or in whatever the client sent with it.
    has_hash_after: bool,
    is_beyond_first_line: bool,
    /// Something stood before: empty lines ahead of a request are skipped.
    begun: bool,
    /// Something stands in the running line; carriage returns do not count.
    in_line: bool,
    bytes_after_head: Option<u64>,
}

impl HeadScan {
    /// Goes on with the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let after = match &mut self.bytes_after_head {
            Some(after) => {
                *after += bytes.len() as u64;
                bytes
            }
            None => {
                let Some(end) = bytes.iter().position(|byte| self.ends_with(*byte)) else { return };
                self.bytes_after_head = Some((bytes.len() - end - 1) as u64);
                &bytes[end + 1..]
            }
        };
        self.has_hash_after |= after.contains(&b'#');
    }

    /// Whether the first line is known to hold a `#`.
    pub const fn cuts_target(&self) -> bool {
        self.cuts_target
    }

    pub const fn has_hash_after(&self) -> bool {
        self.has_hash_after
    }

    /// Whether anything of a request has come.
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Bytes seen after the head; `None` while it is not whole.
    pub fn bytes_after_head(&self) -> Option<u64> {
        self.bytes_after_head
    }

    fn ends_with(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' if self.in_line => {
                self.in_line = false;
                self.is_beyond_first_line = true;
            }
            b'\n' => return self.begun,
            b'\r' => {}
            _ => {
                self.begun = true;
                self.in_line = true;
                self.cuts_target |= byte == b'#' && !self.is_beyond_first_line;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pieces: &[&str]) -> Option<u64> {
        let mut scan = HeadScan::default();
        pieces.iter().for_each(|piece| scan.feed(piece.as_bytes()));
        scan.bytes_after_head()
    }

    #[test]
    fn the_head_ends_at_the_first_empty_line() {
        assert_eq!(after(&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"]), Some(0));
        assert_eq!(after(&["GET / HTTP/1.1\r\n\r\nbody\r\n\r\n"]), Some(8));
        assert_eq!(after(&["\r\n\r\nGET / HTTP/1.1\n\nx"]), Some(1));
        assert_eq!(after(&["GET / HTTP/1.1\r\nHost: a\r\n"]), None);
    }

    #[test]
    fn any_split_gives_the_same_end() {
        let request = "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
        for first in 0..request.len() {
            for second in first..request.len() {
                assert_eq!(after(&[&request[..first], &request[first..second], &request[second..]]), Some(5), "{first} {second}");
            }
        }
    }

    #[test]
    fn only_a_hash_in_the_first_line_cuts_the_target() {
        let cut = |request: &str, split: usize| {
            let mut scan = HeadScan::default();
            scan.feed(&request.as_bytes()[..split]);
            scan.feed(&request.as_bytes()[split..]);
            (scan.cuts_target(), scan.has_hash_after())
        };
        for (request, found) in [
            ("PUT /report#1.tar HTTP/1.1\r\nHost: a\r\n\r\n", (true, false)),
            ("\r\n\nGET http://a/#x HTTP/1.1\nHost: a\n\n", (true, false)),
            ("PUT /report%231.tar HTTP/1.1\r\nHost: a\r\nX: #\r\n\r\n", (false, false)),
            ("PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n##", (false, true)),
        ] {
            for split in 0..request.len() {
                assert_eq!(cut(request, split), found, "{request:?} at {split}");
            }
        }
    }
}

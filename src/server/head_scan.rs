//! Where a request's head ends in the bytes of a connection, so that those of its body can be counted.

/// Looks for the empty line after a request's first line. It says nothing about whether the head is right: the HTTP
/// parser judges that, and both take a line to end at its line feed.
#[derive(Default)]
pub struct HeadScan {
    /// Something stood before: empty lines ahead of a request are skipped.
    begun: bool,
    /// Something stands in the running line; carriage returns do not count.
    in_line: bool,
    bytes_after_head: Option<u64>,
}

impl HeadScan {
    /// Goes on with the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.bytes_after_head {
            Some(after) => *after += bytes.len() as u64,
            None => self.bytes_after_head = bytes.iter().position(|byte| self.ends_with(*byte)).map(|end| (bytes.len() - end - 1) as u64),
        }
    }

    /// Bytes seen after the head; `None` while it is not whole.
    pub fn bytes_after_head(&self) -> Option<u64> {
        self.bytes_after_head
    }

    fn ends_with(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' if self.in_line => self.in_line = false,
            b'\n' => return self.begun,
            b'\r' => {}
            _ => {
                self.begun = true;
                self.in_line = true;
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
}

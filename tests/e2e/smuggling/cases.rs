//! Some 180 requests that two programs could read in two ways.

/// What replaces `AUTH` in the cases below is a right `Authorization` header.
pub struct Case {
    pub what: String,
    pub request: Vec<u8>,
}

fn case(what: impl Into<String>, request: &str) -> Case {
    Case { what: what.into(), request: request.as_bytes().to_vec() }
}

/// A PUT with these headers and a body of five bytes.
fn put(what: &str, headers: &str) -> Case {
    case(what, &format!("PUT /x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n{headers}\r\n\r\nhello"))
}

/// A GET whose whole head below the request line is `headers`.
fn get(what: &str, headers: &str) -> Case {
    case(what, &format!("GET / HTTP/1.1\r\n{headers}\r\nAUTH\r\n\r\n"))
}

const LENGTHS: [(&str, &str); 17] = [
    ("two different lengths", "Content-Length: 5\r\nContent-Length: 6"),
    ("a list of equal lengths", "Content-Length: 5,5"),
    ("a list of lengths", "Content-Length: 5, 6"),
    ("a plus", "Content-Length: +5"),
    ("a minus", "Content-Length: -5"),
    ("hexadecimal", "Content-Length: 0x5"),
    ("a point", "Content-Length: 5.0"),
    ("an exponent", "Content-Length: 5e0"),
    ("two to the 64th", "Content-Length: 18446744073709551616"),
    ("two to the 64th and five", "Content-Length: 18446744073709551621"),
    ("a space inside", "Content-Length: 1 5"),
    ("an empty length", "Content-Length:"),
    ("quotes", "Content-Length: \"5\""),
    ("a semicolon", "Content-Length: 5;"),
    ("an underscore", "Content-Length: 1_0"),
    ("Arabic digits", "Content-Length: ٥"),
    ("a length in another case beside it", "content-length: 5\r\nCONTENT-LENGTH: 7"),
];

/// Each odd length before a body that is there, for every method that could be asked for.
fn lengths() -> Vec<Case> {
    let methods = ["PUT /x", "GET /", "POST /", "DELETE /x"];
    let of = |target: &str| {
        let target = target.to_owned();
        LENGTHS.iter().map(move |(what, headers)| {
            case(format!("{what}, {target}"), &format!("{target} HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n{headers}\r\n\r\nhello"))
        })
    };
    methods.into_iter().flat_map(of).collect()
}

fn encodings() -> Vec<Case> {
    vec![
        put("length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        put("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        put("chunked alone", "Transfer-Encoding: chunked"),
        put("identity", "Transfer-Encoding: identity\r\nContent-Length: 5"),
        put("chunked, identity", "Transfer-Encoding: chunked, identity\r\nContent-Length: 5"),
        put("identity, chunked", "Transfer-Encoding: identity, chunked\r\nContent-Length: 5"),
        put("gzip, chunked", "Transfer-Encoding: gzip, chunked"),
        put("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        put("chunked, chunked", "Transfer-Encoding: chunked, chunked"),
        put("two encodings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5"),
        put("xchunked", "Transfer-Encoding: xchunked\r\nContent-Length: 5"),
        put("chunked with a tab", "Transfer-Encoding:\tchunked\r\nContent-Length: 5"),
        put("chunked with a vertical tab", "Transfer-Encoding: \x0bchunked\r\nContent-Length: 5"),
        put("chunked with a no-break space", "Transfer-Encoding: \u{a0}chunked\r\nContent-Length: 5"),
        put("chunked in capitals", "Transfer-Encoding: CHUNKED\r\nContent-Length: 5"),
        put("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\nContent-Length: 5"),
        put("chunked with a parameter", "Transfer-Encoding: chunked;q=1\r\nContent-Length: 5"),
        put("an empty encoding", "Transfer-Encoding:\r\nContent-Length: 5"),
        put("a comma", "Transfer-Encoding: ,chunked\r\nContent-Length: 5"),
        case(
            "chunked in HTTP/1.0",
            "PUT /x HTTP/1.0\r\nHost: localhost\r\nAUTH\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        ),
        case(
            "a chunked body with line feeds",
            "PUT /x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        ),
        case(
            "a chunk extension with a line feed",
            "PUT /x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n",
        ),
    ]
}

fn heads() -> Vec<Case> {
    vec![
        put("a space before the colon", "Content-Length : 5"),
        put("a tab before the colon", "Transfer-Encoding\t: chunked\r\nContent-Length: 5"),
        put("a folded line", "Content-Length: 5\r\nX-Folded: a\r\n b"),
        put("a folded encoding", "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked"),
        put("a line that begins with a space", " Content-Length: 5"),
        put("an empty header name", ": x\r\nContent-Length: 5"),
        put("a header without a colon", "Content-Length 5"),
        put("a zero byte in a name", "Content\0-Length: 5\r\nContent-Length: 5"),
        put("a zero byte in a value", "X: a\0b\r\nContent-Length: 5"),
        put("a carriage return in a value", "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5"),
        put("a carriage return in a name", "X\rY: a\r\nContent-Length: 5"),
        put("a letter beyond ASCII in a name", "Contént-Length: 5\r\nContent-Length: 5"),
        get("no host", "X: y"),
        get("two hosts", "Host: localhost\r\nHost: localhost"),
        get("two different hosts", "Host: localhost\r\nHost: elsewhere"),
        get("a host with a space", "Host: local host"),
        get("a host with a path", "Host: localhost/a"),
        get("a host with a user", "Host: user@localhost"),
        case("absolute form of another host", "GET http://elsewhere/ HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("authority form", "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("a space in the path", "GET /a b HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("a version that does not exist", "GET / HTTP/1.2x\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("HTTP/0.9", "GET /\r\n\r\n"),
        case("HTTP/2 in words", "GET / HTTP/2.0\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        case("a method with a tab", "GET\t/ HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("an empty method", " / HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("CONNECT", "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\nAUTH\r\n\r\n"),
        Case { what: "a TLS greeting".to_owned(), request: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec() },
    ]
}

fn request_lines() -> Vec<Case> {
    let line = |what: &str, line: &str| case(what, &format!("{line}\r\nHost: localhost\r\nAUTH\r\n\r\n"));
    vec![
        line("two spaces before the path", "GET  / HTTP/1.1"),
        line("two spaces before the version", "GET /  HTTP/1.1"),
        line("a space after the version", "GET / HTTP/1.1 "),
        line("a word after the version", "GET / HTTP/1.1 x"),
        line("a version in small letters", "GET / http/1.1"),
        line("a version without its minor number", "GET / HTTP/1"),
        line("a version with leading zeros", "GET / HTTP/01.01"),
        line("a negative version", "GET / HTTP/-1.1"),
        line("a method in braces", "GET{} / HTTP/1.1"),
        line("a method with a colon", "GET: / HTTP/1.1"),
        line("a method with a zero byte", "G\0T / HTTP/1.1"),
        line("a path with a carriage return", "GET /\rx HTTP/1.1"),
        line("a path with a vertical tab", "GET /\x0bx HTTP/1.1"),
        line("a path with a form feed", "GET /\x0cx HTTP/1.1"),
        line("a path with a zero byte", "GET /\0 HTTP/1.1"),
        line("a path without its slash", "GET x HTTP/1.1"),
        line("an absolute target with a user", "GET http://a:b@localhost/ HTTP/1.1"),
        line("an absolute target with another port", "GET http://localhost:81/ HTTP/1.1"),
        line("an absolute target with an empty host", "GET http:/// HTTP/1.1"),
        line("a fragment of a second request", "GET / HTTP/1.1\rGET /x HTTP/1.1"),
        line("a greeting of SMTP", "EHLO localhost"),
        line("a greeting of SSH", "SSH-2.0-x"),
        case("a proxy's greeting", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
    ]
}

/// Beside a right length and a whole body, so that only the oddity can be what is refused.
fn odd_headers() -> Vec<Case> {
    let beside = |what: &str, odd: &str| put(what, &format!("Content-Length: 5\r\n{odd}"));
    vec![
        beside("a second length with a space before its colon", "Content-Length : 6"),
        beside("a second length with a tab before its colon", "Content-Length\t: 6"),
        beside("a second length with a line feed before it", "X: y\n\rContent-Length: 6"),
        beside("an encoding after a bare carriage return", "X: y\rTransfer-Encoding: chunked"),
        beside("an encoding after a zero byte", "X: y\0Transfer-Encoding: chunked"),
        beside("an encoding with a zero byte", "Transfer-Encoding: chunked\0"),
        beside("an encoding in brackets", "Transfer-Encoding: [chunked]"),
        beside("an encoding with a leading comma", "Transfer-Encoding: , chunked"),
        beside("an encoding in half", "Transfer-Encoding: chu\r\n nked"),
        beside("an encoding with a no-break space before its colon", "Transfer-Encoding\u{a0}: chunked"),
        beside("an encoding named with a vertical tab", "\x0bTransfer-Encoding: chunked"),
        beside("an encoding named with a backspace", "Transfer-Encoding\x08: chunked"),
        beside("a delete character in a name", "X\x7f: y"),
        beside("a delete character in a value", "X: \x7f"),
        beside("an escape in a value", "X: \x1b[31m"),
        beside("a bell in a value", "X: \x07"),
        beside("quotes around a name", "\"X\": y"),
        beside("brackets around a name", "(X): y"),
        beside("a comma in a name", "X,Y: z"),
        beside("a slash in a name", "X/Y: z"),
        beside("a name of nothing but a space", " : y"),
        beside("a line of one letter", "X"),
        beside("a line of one colon", ":"),
        beside("a folded first line", "\tX: y"),
        beside("a second Host", "Host: localhost"),
        beside("another second Host", "Host: elsewhere"),
        beside("a Host with a comma", "Host: localhost,elsewhere"),
    ]
}

fn chunks() -> Vec<Case> {
    let chunked = |what: &str, body: &str| {
        case(what, &format!("PUT /x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
    };
    vec![
        chunked("a chunk of negative size", "-5\r\nhello\r\n0\r\n\r\n"),
        chunked("a chunk of signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        chunked("a chunk of size 0x5", "0x5\r\nhello\r\n0\r\n\r\n"),
        chunked("a chunk larger than a number", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        chunked("a chunk with a space before its size", " 5\r\nhello\r\n0\r\n\r\n"),
        chunked("a chunk without its end", "5\r\nhello0\r\n\r\n"),
        chunked("a chunk that ends with other letters", "5\r\nhelloXX0\r\n\r\n"),
        chunked("a trailer that is a length", "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"),
        chunked("a trailer that is a host", "0\r\nHost: elsewhere\r\n\r\n"),
        chunked("a chunk extension of 20,000 letters", &format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000))),
    ]
}

pub fn all() -> Vec<Case> {
    [lengths(), encodings(), heads(), request_lines(), odd_headers(), chunks()].into_iter().flatten().collect()
}

//! One pattern against a whole path.
//!
//! A pattern that begins with `/` stands at the top; any other may begin at every segment. It matches what it names and all that lies
//! below. `**` as a segment takes any number of segments.

use super::clean::clean;
use super::glob::Glob;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
    pub is_negated: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Segment {
    /// What stands before the first `/` of an absolute pattern or path.
    Top,
    /// `**`
    Any,
    /// A name with nothing special in it.
    Plain(Vec<u8>),
    Glob(Glob),
}

impl Pattern {
    /// `None` where a segment is malformed.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (is_negated, text) = text.strip_prefix(b"!").map_or((false, text), |rest| (true, rest));
        let clean = clean(text);
        let parse = |(at, part): (usize, &[u8])| match part {
            b"" if at == 0 => Some(Segment::Top),
            b"" | b"**" => Some(Segment::Any),
            part if part.iter().any(|byte| br"\[]*?".contains(byte)) => Glob::parse(part).map(Segment::Glob),
            part => Some(Segment::Plain(part.to_vec())),
        };
        let segments = clean.split(|byte| *byte == b'/').enumerate().map(parse).collect::<Option<_>>()?;
        Some(Self { segments, is_negated })
    }

    fn is_absolute(&self) -> bool {
        self.segments.first() == Some(&Segment::Top)
    }

    /// `names` are a path's segments; an absolute path begins with an empty one.
    pub fn matches(&self, names: &[&[u8]]) -> bool {
        if self.segments.contains(&Segment::Any) {
            return self.matches_with_any(names);
        }
        let Some(spare) = names.len().checked_sub(self.segments.len()) else { return false };
        self.offsets(names, spare).rev().any(|offset| self.is_at(&names[offset..]))
    }

    /// Whether something below the path could be matched.
    pub fn may_match_below(&self, names: &[&[u8]]) -> bool {
        if !self.is_absolute() {
            return true;
        }
        let fixed = self.segments.iter().position(|segment| *segment == Segment::Any).unwrap_or(self.segments.len());
        self.segments[..fixed].iter().zip(names).enumerate().all(|(at, (segment, name))| segment.takes(name, at))
    }

    /// Where in the path the pattern may begin.
    fn offsets(&self, names: &[&[u8]], last: usize) -> std::ops::RangeInclusive<usize> {
        match (self.is_absolute(), names.first()) {
            (true, _) => 0..=0,
            (false, Some(&b"")) => 1..=last,
            (false, _) => 0..=last,
        }
    }

    fn is_at(&self, names: &[&[u8]]) -> bool {
        self.segments.iter().zip(names).enumerate().rev().all(|(at, (segment, name))| segment.takes(name, at))
    }

    /// In time and room of pattern × path.
    ///
    /// While the segments up to one of the `**` are settled, restic counts each `**` behind it as one segment at least, although it may
    /// take none in the end; so `/a/**/b/**` matches `/a/b/c` and not `/a/b`. That count goes from where the pattern begins: of several
    /// beginnings that lead to one place, the last is the one that leaves most room.
    fn matches_with_any(&self, names: &[&[u8]]) -> bool {
        let length = names.len();
        let fixed_in_all = self.segments.iter().filter(|segment| **segment != Segment::Any).count();
        let mut any_left = self.segments.len() - fixed_in_all;
        if fixed_in_all == 0 {
            // What is nothing but `**` takes one segment at least.
            let has_room = any_left <= length + 1;
            return has_room && length > usize::from(names.first() == Some(&&b""[..]));
        }
        let mut fixed_left = fixed_in_all;
        // For each place in the path: the last beginning from which the segments so far end there.
        let mut begins: Vec<Option<usize>> = vec![None; length + 1];
        for offset in self.offsets(names, length) {
            begins[offset] = Some(offset);
        }
        for segment in &self.segments {
            if *segment == Segment::Any {
                any_left -= 1;
                let mut last = None;
                for (end, begin) in begins.iter_mut().enumerate() {
                    last = last.max(*begin);
                    *begin = last.filter(|begin| end - begin + fixed_left + any_left <= length);
                }
                continue;
            }
            fixed_left -= 1;
            let next = |end: usize| begins[end].filter(|begin| segment.takes(names[end], end - begin));
            begins = std::iter::once(None).chain((0..length).map(next)).collect();
        }
        begins.iter().any(Option::is_some)
    }
}

impl Segment {
    fn takes(&self, name: &[u8], at: usize) -> bool {
        match self {
            Self::Top => at == 0 && name.is_empty(),
            Self::Any => true,
            Self::Plain(plain) => plain == name,
            Self::Glob(glob) => glob.matches(name),
        }
    }
}

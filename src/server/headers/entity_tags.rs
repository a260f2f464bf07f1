//! Lists of entity tags (RFC 9110 §8.8.3), as `If-Match` and `If-None-Match` carry them.

use crate::model::digest::Sha256Digest;

/// What a conditional header names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EntityTags {
    /// `*`: whatever is there.
    Any,
    Listed(Vec<EntityTag>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntityTag {
    pub is_weak: bool,
    /// What stands between the quotation marks.
    pub opaque: String,
}

/// The strong tag of a file: its SHA-256.
pub fn entity_tag(digest: &Sha256Digest) -> String {
    format!("\"{}\"", digest.hex())
}

impl EntityTags {
    /// Reads a whole header. Reading ends at the first thing that is no tag: a tag that cannot be read matches nothing.
    pub fn parse(text: &str) -> Self {
        if text.trim_matches([' ', '\t']) == "*" {
            return Self::Any;
        }
        let mut tags = Vec::new();
        let mut rest = text;
        while let Some((tag, later)) = EntityTag::parse_first(rest) {
            tags.push(tag);
            rest = later;
        }
        Self::Listed(tags)
    }

    /// Strong comparison: no weak tag matches.
    pub fn has_strong(&self, digest: &Sha256Digest) -> bool {
        self.has(digest, |tag| !tag.is_weak)
    }

    /// Weak comparison.
    pub fn has_weak(&self, digest: &Sha256Digest) -> bool {
        self.has(digest, |_| true)
    }

    fn has(&self, digest: &Sha256Digest, counts: impl Fn(&EntityTag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| counts(tag) && tag.opaque == digest.hex()),
        }
    }
}

impl EntityTag {
    /// The first tag of a list and what follows it; empty members are skipped (RFC 9110 §5.6.1).
    fn parse_first(text: &str) -> Option<(Self, &str)> {
        let text = text.trim_start_matches([' ', '\t', ',']);
        let (is_weak, text) = text.strip_prefix("W/").map_or((false, text), |text| (true, text));
        let (opaque, rest) = text.strip_prefix('"')?.split_once('"')?;
        let rest = rest.trim_start_matches([' ', '\t']);
        (rest.is_empty() || rest.starts_with(',')).then(|| (Self { is_weak, opaque: opaque.to_owned() }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    fn tag(is_weak: bool, opaque: &str) -> EntityTag {
        EntityTag { is_weak, opaque: opaque.to_owned() }
    }

    #[test]
    fn lists_are_read_member_by_member() {
        let listed = |text| match EntityTags::parse(text) {
            EntityTags::Listed(tags) => tags,
            EntityTags::Any => panic!("{text} is a list"),
        };
        assert_eq!(listed("\"a\""), [tag(false, "a")]);
        assert_eq!(listed(" W/\"a\" ,\t\"b,c\",, \"\" "), [tag(true, "a"), tag(false, "b,c"), tag(false, "")]);
        for odd in ["", "a", "\"a", "w/\"a\"", "W/ \"a\"", "\"a\"b", ",", "**", "*, \"a\""] {
            assert_eq!(listed(odd), [], "{odd}");
        }
        assert_eq!(listed("\"a\", b, \"c\""), [tag(false, "a")]);
        assert_eq!(EntityTags::parse(" * "), EntityTags::Any);
    }

    #[test]
    fn a_weak_tag_matches_only_weakly() {
        let digest = Sha256Digest::of(b"x");
        let strong = EntityTags::parse(&entity_tag(&digest));
        let weak = EntityTags::parse(&format!("W/{}", entity_tag(&digest)));
        assert_eq!((strong.has_strong(&digest), strong.has_weak(&digest)), (true, true));
        assert_eq!((weak.has_strong(&digest), weak.has_weak(&digest)), (false, true));
        assert!(EntityTags::Any.has_strong(&digest));
        assert!(!strong.has_weak(&Sha256Digest::of(b"y")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn every_list_comes_back(tags in proptest::collection::vec((any::<bool>(), "[!#-~]{0,12}"), 0..6), gap in "[ \t,]{0,3}") {
            let written: Vec<String> = tags.iter().map(|(weak, text)| format!("{}\"{text}\"", if *weak { "W/" } else { "" })).collect();
            let expected = tags.iter().map(|(weak, text)| tag(*weak, text)).collect();
            prop_assert_eq!(EntityTags::parse(&written.join(&format!(",{gap}"))), EntityTags::Listed(expected));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            EntityTags::parse(&text);
        }
    }
}

//! Paths and queries as text: splitting and percent-decoding.

use percent_encoding::percent_decode_str;

/// The segments of a path, decoded one by one, so that `%2F` stays inside its segment. One slash at
/// the end is not counted. `None` if an encoding is broken or is not UTF-8.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').map(decode).collect()
}

/// The pairs of a query, in their order. A key without `=` has an empty value. `None` if an encoding
/// is broken or is not UTF-8.
pub(super) fn query(query: &str) -> Option<Vec<(String, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(&key.replace('+', " "))?, decode(&value.replace('+', " "))?))
        })
        .collect()
}

/// text = *( "%" HEXDIG HEXDIG | any )
fn decode(text: &str) -> Option<String> {
    // The decoder passes broken encodings through; we refuse them.
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.as_bytes().get(..2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = &after[2..];
    }
    percent_decode_str(text).decode_utf8().ok().map(|decoded| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(|text| text.to_string()).collect())
    }

    #[test]
    fn segments_are_decoded_after_they_are_split() {
        assert_eq!(segments("/v2/a%2Fb/c%20d/"), strings(&["v2", "a/b", "c d"]));
        assert_eq!(segments("/"), strings(&[""]));
        assert_eq!(segments("/a//b"), strings(&["a", "", "b"]));
        assert_eq!(segments("/J%C3%B6rg/Jörg"), strings(&["Jörg", "Jörg"]));
    }

    #[test]
    fn broken_encodings_are_refused() {
        for bad in ["/%", "/%2", "/%zz", "/%+1", "/%2ö", "/%ff", "/%C3", "/a/%%20"] {
            assert_eq!(segments(bad), None, "{bad}");
        }
        assert_eq!(query("a=%zz"), None);
        assert_eq!(query("%=1"), None);
    }

    #[test]
    fn queries_keep_order_and_empty_values() {
        let pairs = query("a=1&b&&c=x+y%26&a=2=3").unwrap();
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b", ""), ("c", "x y&"), ("a", "2=3")]);
        assert_eq!(query(""), Some(vec![]));
    }
}

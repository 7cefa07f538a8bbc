//! Which media types are taken and sent: JSON, and nothing else; but for a route that says so.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

use super::ApiError;

/// Refuses a client that takes none of these media types.
///
/// # Errors
/// 406.
pub(super) fn check_accept(headers: &HeaderMap, media_types: &[&str]) -> Result<(), ApiError> {
    match media_types.iter().any(|media_type| takes(headers, media_type)) {
        true => Ok(()),
        false => Err(ApiError::not_acceptable(media_types)),
    }
}

fn takes(headers: &HeaderMap, media_type: &str) -> bool {
    let group = media_type.split('/').next().unwrap_or_default();
    // The most specific range that covers it decides, whatever its place: `*/*, application/json;q=0` is a refusal
    // of JSON.
    let mut best: Option<(u8, bool)> = None;
    let mut is_empty = true;
    for value in headers.get_all(ACCEPT) {
        // A header that is not text says nothing we could hold against the client.
        let Ok(value) = value.to_str() else { return true };
        for range in value.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            is_empty = false;
            let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
            let specificity = match kind.trim().to_ascii_lowercase().as_str() {
                "*/*" => 1,
                exact if exact == media_type => 3,
                all if all.strip_suffix("/*") == Some(group) => 2,
                _ => continue,
            };
            if best.is_none_or(|(seen, _)| specificity > seen) {
                best = Some((specificity, !is_weight_zero(parameters)));
            }
        }
    }
    match best {
        Some((_, is_taken)) => is_taken,
        None => is_empty,
    }
}

/// weight = "q=" ( "0" [ "." *3DIGIT ] | "1" [ "." *3"0" ] )
fn is_weight_zero(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|weight| weight == 0.0)
    })
}

/// Refuses a body that says it is something else than JSON. Only to be asked if there is a body.
///
/// # Errors
/// 415.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let value = value.to_str().map_err(|_| ApiError::unsupported_media_type())?;
    let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
    let kind = kind.trim().to_ascii_lowercase();
    // `curl -d` sends the form type unless told otherwise, and clients in the field leave it so.
    let is_json = kind.is_empty()
        || kind == "application/json"
        || kind == "application/x-www-form-urlencoded"
        || (kind.starts_with("application/") && kind.ends_with("+json"));
    let is_utf8 =
        parameters.split(';').filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            let value = value.trim().trim_matches('"');
            !name.trim().eq_ignore_ascii_case("charset")
                || value.eq_ignore_ascii_case("utf-8")
                || value.eq_ignore_ascii_case("utf8")
                || value.eq_ignore_ascii_case("us-ascii")
        });
    if is_json && is_utf8 { Ok(()) } else { Err(ApiError::unsupported_media_type()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[&str] = &["application/json"];

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_client_that_takes_json_in_any_way_is_served() {
        assert!(check_accept(&HeaderMap::new(), JSON).is_ok());
        for good in [
            "*/*",
            "application/json",
            "APPLICATION/JSON;q=0.1",
            "text/html, application/*;q=0.5",
            "",
            "text/html;q=0, */*",
        ] {
            assert!(check_accept(&headers(ACCEPT, good), JSON).is_ok(), "{good}");
        }
        for bad in [
            "text/html",
            "application/xml",
            "application/json;q=0, */*",
            "*/*, application/json; q=0.0",
            "*/*;q=0",
        ] {
            assert!(check_accept(&headers(ACCEPT, bad), JSON).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_several_types_one_that_is_taken_is_enough() {
        let types = &["application/openmetrics-text", "text/plain"];
        for good in [
            "application/openmetrics-text; version=1.0.0",
            "text/plain",
            "text/*",
            "text/plain;q=0, application/*",
        ] {
            assert!(check_accept(&headers(ACCEPT, good), types).is_ok(), "{good}");
        }
        for bad in ["application/json", "text/html", "text/plain;q=0"] {
            assert!(check_accept(&headers(ACCEPT, bad), types).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_form_type_of_curl_passes_and_other_types_do_not() {
        assert!(check_content_type(&HeaderMap::new()).is_ok());
        for good in [
            "application/json",
            "application/json; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/merge-patch+json",
            "application/x-www-form-urlencoded",
        ] {
            assert!(check_content_type(&headers(CONTENT_TYPE, good)).is_ok(), "{good}");
        }
        for bad in [
            "text/plain",
            "text/json+xml",
            "application/xml",
            "application/json; charset=latin1",
            "multipart/form-data; boundary=x",
        ] {
            assert!(check_content_type(&headers(CONTENT_TYPE, bad)).is_err(), "{bad}");
        }
    }
}

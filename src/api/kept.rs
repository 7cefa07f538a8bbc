//! An answer as text, to be given again to whoever asks the same thing twice.
//!
//! Owns: what of an answer is kept. The request's id and its token are not: they are those of whoever
//! hears it.

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{ApiError, Response};
use crate::json;

/// Tells that an answer was given before.
const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    /// The word of a refusal.
    message: Option<String>,
    data: Box<RawValue>,
    headers: Vec<(String, String)>,
}

/// The answer as text; `None` for one that cannot be kept, such as a list that is made while it is sent.
pub fn keep(answer: &Result<Response, ApiError>) -> Option<String> {
    let (status, message, data, headers) = match answer {
        Ok(response) => {
            let (data, headers) = response.parts()?;
            (response.status(), None, data.to_owned(), headers)
        }
        Err(error) => (
            error.status(),
            Some(error.message().to_owned()),
            to_raw_value(error.data()).ok()?,
            error.headers(),
        ),
    };
    let headers = headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let kept = Kept { status: status.as_u16(), message, data, headers: headers.collect() };
    serde_json::to_string(&kept).ok()
}

/// The answer of such a text, marked as one that was given before.
///
/// # Errors
/// The refusal that was kept; 500 for a text that [`keep`] has not made.
pub fn give_again(text: &str) -> Result<Response, ApiError> {
    let no_answer =
        |why: &dyn std::fmt::Display| ApiError::internal(format!("an answer that was kept: {why}"));
    let kept: Kept = serde_json::from_str(text).map_err(|error| no_answer(&error))?;
    let status = StatusCode::from_u16(kept.status).map_err(|error| no_answer(&error))?;
    let headers = kept.headers.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    let headers = headers.chain([(REPLAY, HeaderValue::from_static("true"))]);
    match kept.message {
        None => {
            let response = Response::raw(status, kept.data);
            Ok(headers.fold(response, |response, (name, value)| response.header(name, value)))
        }
        Some(message) => {
            let data = json::parse(kept.data.get().as_bytes()).map_err(|error| no_answer(&error))?;
            let error = ApiError::told_before(status, message, data);
            Err(headers.fold(error, |error, (name, value)| error.with_header(name, value)))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn an_answer_is_given_again_as_it_was_and_marked() {
        let name = HeaderName::from_static("x-conference-seq");
        let answer = Response::ok(&json!({ "n": [1.0, "ü"] })).expect("JSON");
        let answer = Ok(answer.header(name.clone(), HeaderValue::from_static("abc;7")));
        let again = give_again(&keep(&answer).expect("kept")).expect("an answer");
        let (data, headers) = again.parts().expect("data");
        assert_eq!((again.status().as_u16(), data.get()), (200, r#"{"n":[1.0,"ü"]}"#));
        assert_eq!((&headers[name], &headers[REPLAY]), (&"abc;7".parse().unwrap(), &"true".parse().unwrap()));
    }

    #[test]
    fn a_refusal_is_given_again_as_it_was_and_marked() {
        let refusal = ApiError::switch_timeout(Map::new()).with_data("node", "fs1").retry_after(2);
        let again = give_again(&keep(&Err(refusal.clone())).expect("kept")).err().expect("a refusal");
        assert_eq!(
            (again.status(), again.message(), again.data()),
            (refusal.status(), refusal.message(), refusal.data())
        );
        assert_eq!((again.headers()["retry-after"].as_bytes(), again.headers().len()), (&b"2"[..], 2));
        for wrong in ["", "{}", r#"{"status":7,"message":null,"data":{},"headers":[]}"#] {
            assert_eq!(give_again(wrong).err().expect("no answer").status().as_u16(), 500, "{wrong}");
        }
    }

    #[test]
    fn a_list_that_is_made_while_it_is_sent_is_not_kept() {
        assert!(keep(&Ok(Response::list(futures_util::stream::empty()))).is_none());
    }
}

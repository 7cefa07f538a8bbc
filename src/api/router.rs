//! Method and path to a handler and what it requires.
//!
//! The table is data: the OpenAPI document is compared with [`Router::routes`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;

use super::{ApiError, Request, Response, path};
use crate::config::Secret;
use crate::peer::Client;

/// What a route requires of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Nothing: no token is needed.
    Open,
    /// A token with the scope `read`.
    Read,
    /// A token with the scope `control`: actions.
    Control,
    /// A token with the scope `write`: documents.
    Write,
    /// A token of no account but of all.
    Superuser,
    /// An address from which the daemon may be watched, or else a token of no account but of all.
    Watch,
}

/// Who may do what; implemented by the context of the handlers.
pub trait Gate: Send + Sync + 'static {
    /// Who asks, as handlers get to know it.
    type Caller: Send + 'static;

    /// Lets a request pass, also one for an [`Access::Open`] route, or refuses it.
    ///
    /// Asked before the body is read if a header has the token, else after it, once.
    ///
    /// # Errors
    /// 401, 403, or 404 for another account's path; 429 after too many wrong tokens; 503 if the tokens
    /// cannot be looked up.
    fn admit(&self, asking: Asking<'_>) -> impl Future<Output = Result<Self::Caller, ApiError>> + Send;

    /// Whether this client may ask once more without a token in a header; asked before anything of it is read.
    ///
    /// # Errors
    /// 429 if it asks too fast.
    fn knock(&self, client: Client) -> Result<(), ApiError> {
        let _ = client;
        Ok(())
    }
}

/// What the gate is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// What the route requires.
    pub access: Access,
    /// The route's name.
    pub route: &'static str,
    /// The parts of the path; `{A}` is the account.
    pub params: &'a Params,
    /// The token, if there is one.
    pub token: Option<&'a Secret>,
    /// Who asks: the other end of the connection, or who is behind it if it is a trusted proxy.
    pub client: Client,
}

/// What a handler gives back.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send>>;

/// Answers the requests of a route. Every
/// `async fn(Arc<Context>, Caller, Request) -> Result<Response, ApiError>` is one.
pub trait Handler<C: Gate>: Send + Sync + 'static {
    /// Answers one request.
    fn call(&self, context: Arc<C>, caller: C::Caller, request: Request) -> HandlerFuture;
}

impl<C, F, A> Handler<C> for F
where
    C: Gate,
    F: Fn(Arc<C>, C::Caller, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Response, ApiError>> + Send + 'static,
{
    fn call(&self, context: Arc<C>, caller: C::Caller, request: Request) -> HandlerFuture {
        Box::pin(self(context, caller, request))
    }
}

/// One line of the table.
pub struct Route<C: Gate> {
    /// The method; `HEAD` comes with `GET`.
    pub method: Method,
    /// The path, with `{NAME}` for a part that varies.
    pub pattern: &'static str,
    /// A name that is unique in the table; the operation id in OpenAPI.
    pub name: &'static str,
    /// What it requires.
    pub access: Access,
    /// The media types that its answers pass for; refusals are JSON always.
    pub media_types: &'static [&'static str],
    pub(super) handler: Arc<dyn Handler<C>>,
}

impl<C: Gate> Route<C> {
    /// A line of the table.
    pub fn new(
        method: Method,
        pattern: &'static str,
        name: &'static str,
        access: Access,
        handler: impl Handler<C>,
    ) -> Self {
        Self { method, pattern, name, access, media_types: &["application/json"], handler: Arc::new(handler) }
    }

    /// The same with answers of other media types.
    #[must_use]
    pub fn answers(self, media_types: &'static [&'static str]) -> Self {
        Self { media_types, ..self }
    }
}

impl<C: Gate> Clone for Route<C> {
    fn clone(&self) -> Self {
        Self { method: self.method.clone(), handler: Arc::clone(&self.handler), ..*self }
    }
}

impl<C: Gate> fmt::Debug for Route<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}, {:?})", self.method, self.pattern, self.name, self.access)
    }
}

/// Two lines of the table cannot both be there, or one is no pattern.
#[derive(Debug, thiserror::Error)]
#[error("route {route}: {reason}")]
pub struct RouterError {
    /// The later line.
    pub route: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The parts of a path that vary.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// A part by its name in the pattern.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, PartialEq)]
enum Segment {
    Literal(&'static str),
    Param(&'static str),
}

struct Path<C: Gate> {
    segments: Vec<Segment>,
    routes: Vec<Route<C>>,
    /// The value of `Allow`.
    allow: String,
}

/// The table of routes.
pub struct Router<C: Gate> {
    paths: Vec<Path<C>>,
}

/// What the table says about a request.
pub(super) enum Found<'a, C: Gate> {
    Route(&'a Route<C>, Params),
    OtherMethods(&'a str),
    Nothing,
    BadEncoding,
}

impl<C: Gate> Router<C> {
    /// Makes the table.
    ///
    /// # Errors
    /// A route, a name or two patterns that cannot be told apart occur twice, or a pattern is
    /// malformed.
    pub fn new(routes: impl IntoIterator<Item = Route<C>>) -> Result<Self, RouterError> {
        let mut router = Self { paths: Vec::new() };
        for route in routes {
            router.add(route)?;
        }
        for path in &mut router.paths {
            path.allow = allow(&path.routes);
        }
        Ok(router)
    }

    fn add(&mut self, route: Route<C>) -> Result<(), RouterError> {
        let refuse = |reason: String| Err(RouterError { route: format!("{route:?}"), reason });
        let Some(segments) = parse_pattern(route.pattern) else {
            return refuse("the pattern is malformed".into());
        };
        if let Some(other) = self.routes().find(|other| other.name == route.name) {
            return refuse(format!("{other:?} has the same name"));
        }
        let Some(path) = self.paths.iter_mut().find(|path| is_same_shape(&path.segments, &segments)) else {
            self.paths.push(Path { segments, routes: vec![route], allow: String::new() });
            return Ok(());
        };
        if path.segments != segments {
            return refuse(format!("{:?} names its parts otherwise", path.routes));
        }
        if path.routes.iter().any(|other| other.method == route.method) {
            return refuse("is there twice".into());
        }
        path.routes.push(route);
        Ok(())
    }

    /// All lines of the table.
    pub fn routes(&self) -> impl Iterator<Item = &Route<C>> {
        self.paths.iter().flat_map(|path| &path.routes)
    }

    /// Looks a request up. Where a literal and a parameter both match, the literal is meant.
    pub(super) fn find(&self, method: &Method, path: &str) -> Found<'_, C> {
        let Some(segments) = path::segments(path) else { return Found::BadEncoding };
        let best = self.paths.iter().filter(|path| path.matches(&segments)).max_by_key(|path| {
            path.segments.iter().map(|segment| matches!(segment, Segment::Literal(_))).collect::<Vec<_>>()
        });
        let Some(best) = best else { return Found::Nothing };
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let exact = best.routes.iter().find(|route| route.method == *method);
        match exact.or_else(|| best.routes.iter().find(|route| route.method == *wanted)) {
            // A name that is empty by mistake must not make of one whom it happens to all of them.
            Some(_) if path.len() > 1 && path.ends_with('/') && !method.is_safe() => Found::Nothing,
            Some(route) => Found::Route(route, best.params(segments)),
            None => Found::OtherMethods(&best.allow),
        }
    }
}

impl<C: Gate> Path<C> {
    fn matches(&self, segments: &[String]) -> bool {
        self.segments.len() == segments.len()
            && self.segments.iter().zip(segments).all(|(pattern, segment)| match pattern {
                Segment::Literal(literal) => literal == segment,
                Segment::Param(_) => !segment.is_empty(),
            })
    }

    fn params(&self, segments: Vec<String>) -> Params {
        let named = self.segments.iter().zip(segments).filter_map(|(pattern, segment)| match pattern {
            Segment::Param(name) => Some((*name, segment)),
            Segment::Literal(_) => None,
        });
        Params(named.collect())
    }
}

/// pattern = "/" segment *( "/" segment ) ; segment = literal | "{" name "}"
fn parse_pattern(pattern: &'static str) -> Option<Vec<Segment>> {
    let segments = pattern.strip_prefix('/')?.split('/').map(|segment| {
        if let Some(name) = segment.strip_prefix('{') {
            return name.strip_suffix('}').filter(|name| !name.is_empty()).map(Segment::Param);
        }
        // The root is one empty literal.
        let is_literal = !segment.contains(['{', '}']) && (!segment.is_empty() || pattern == "/");
        is_literal.then_some(Segment::Literal(segment))
    });
    segments.collect()
}

/// Whether both match the same paths.
fn is_same_shape(a: &[Segment], b: &[Segment]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Param(_), Segment::Param(_)) => true,
            _ => false,
        })
}

fn allow<C: Gate>(routes: &[Route<C>]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for route in routes {
        methods.push(route.method.as_str());
        if route.method == Method::GET && !routes.iter().any(|route| route.method == Method::HEAD) {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}

#[cfg(test)]
mod tests;

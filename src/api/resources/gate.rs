//! Who may pass: tokens to callers.

use http::StatusCode;

use super::{Context, not_let_in};
use crate::api::{Access, ApiError, Asking, Gate};
use crate::auth::{self, AccountId, Principal, Scope};
use crate::peer::Client;
use crate::secret::Secret;

/// Routes that may be asked for at any pace: whoever watches the process is not to take it for dead because
/// somebody else at that address asks too fast.
const WATCHED: [&str; 2] = ["healthz", "readyz"];

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose token it is; `None` where no token is needed.
    pub principal: Option<Principal>,
    /// The account of the path.
    pub account: Option<AccountId>,
}

impl Caller {
    /// The account of the path.
    pub(in crate::api::resources) fn account(&self) -> Result<&AccountId, ApiError> {
        self.account.as_ref().ok_or_else(|| ApiError::internal("the path has no account"))
    }

    /// Whether the caller may see what belongs to nobody yet.
    pub(super) fn is_superuser(&self) -> bool {
        self.principal.as_ref().is_some_and(Principal::is_superuser)
    }
}

impl Context {
    /// Whose token that is.
    ///
    /// # Errors
    /// 401, 429 or 503, as for a request.
    pub(in crate::api::resources) async fn let_in(
        &self,
        token: &Secret,
        client: Client,
    ) -> Result<Principal, ApiError> {
        let admitted = self.guard.authenticate(token.expose(), client).await;
        admitted.map_err(|error| not_let_in(error, client))
    }

    /// One more request by whoever was let in before, or by nobody.
    ///
    /// # Errors
    /// 429 if he asks too fast.
    pub(in crate::api::resources) fn one_more(
        &self,
        principal: Option<&Principal>,
        client: Client,
    ) -> Result<(), ApiError> {
        let spent = match principal {
            Some(principal) => self.guard.ask_once_more(principal),
            None => self.guard.ask_openly(client),
        };
        spent.map_err(|error| not_let_in(error, client))
    }

    /// Whether a token that was let in is good still. One that cannot be checked just now is as good as it was.
    pub(in crate::api::resources) async fn is_still_let_in(&self, token: &Secret, client: Client) -> bool {
        match self.guard.look_again(token.expose(), client).await {
            Ok(_) => true,
            Err(error) => not_let_in(error, client).status() != StatusCode::UNAUTHORIZED,
        }
    }
}

impl Gate for Context {
    type Caller = Caller;

    fn knock(&self, client: Client) -> Result<(), ApiError> {
        self.guard.ask_openly(client).map_err(|error| not_let_in(error, client))
    }

    async fn admit(&self, asking: Asking<'_>) -> Result<Caller, ApiError> {
        if asking.access == Access::Open {
            if !WATCHED.contains(&asking.route) {
                self.guard.ask_openly(asking.client).map_err(|error| not_let_in(error, asking.client))?;
            }
            return Ok(Caller { principal: None, account: None });
        }
        if asking.access == Access::Watch && self.metrics.allows(asking.client) {
            return Ok(Caller { principal: None, account: None });
        }
        let token = asking.token.ok_or_else(ApiError::invalid_credentials)?;
        let principal = self.let_in(token, asking.client).await?;
        let scope = match asking.access {
            Access::Read => Scope::Read,
            Access::Control => Scope::Control,
            Access::Write => Scope::Write,
            Access::Open | Access::Superuser | Access::Watch => {
                let passes = principal.is_superuser();
                let caller = Caller { principal: Some(principal), account: None };
                return if passes { Ok(caller) } else { Err(ApiError::forbidden()) };
            }
        };
        let named = asking.params.get("A").unwrap_or_default();
        // What is no account id is nobody's account: the same answer as for somebody else's.
        let account: AccountId = named.parse().map_err(|_| ApiError::not_found(named))?;
        match principal.may(&account, scope) {
            auth::Access::Allowed => Ok(Caller { principal: Some(principal), account: Some(account) }),
            auth::Access::Hidden => Err(ApiError::not_found(named)),
            auth::Access::Forbidden => Err(ApiError::forbidden()),
        }
    }
}

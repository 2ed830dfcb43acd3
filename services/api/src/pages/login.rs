//! Signing in with the token from the server's start, and out again.

use askama::Template;
use axum::Form;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::{PageProblem, rendered};
use crate::assets;
use crate::guard::same_origin;
use crate::problem::Problem;
use crate::service::App;

pub fn routes() -> Router<App> {
    Router::new().route("/login", get(show).post(sign_in)).route("/logout", post(sign_out))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    styles: String,
    wrong: bool,
    /// The page goes on to the fleet by itself.
    done: bool,
}

#[derive(Default, Deserialize)]
pub struct Offered {
    token: Option<String>,
}

/// The link of the server's start signs in at once. The answer is a page that goes on by itself and no redirect: after a
/// click in another program a browser would not send the new, strict cookie along with a redirect.
async fn show(State(app): State<App>, Query(offered): Query<Offered>) -> Result<Response, PageProblem> {
    match offered.token.as_deref() {
        None => rendered(&page(false, false)),
        Some(token) => admit(&app, token),
    }
}

async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    Form(offered): Form<Offered>,
) -> Result<Response, PageProblem> {
    if !same_origin(&headers) {
        return Err(Problem::foreign_origin().into());
    }
    admit(&app, offered.token.as_deref().unwrap_or_default())
}

fn admit(app: &App, token: &str) -> Result<Response, PageProblem> {
    match app.gate.open(token) {
        Some(cookie) => {
            let mut response = rendered(&page(false, true))?;
            if let Ok(cookie) = cookie.parse() {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        None => {
            tracing::warn!("a login was refused: wrong token");
            let text = page(true, false).render().unwrap_or_default();
            Ok((StatusCode::UNAUTHORIZED, Html(text)).into_response())
        }
    }
}

fn page(wrong: bool, done: bool) -> LoginPage {
    LoginPage { styles: assets::href("medfleet.css"), wrong, done }
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, PageProblem> {
    if !same_origin(&headers) {
        return Err(Problem::foreign_origin().into());
    }
    Ok(([(header::SET_COOKIE, app.gate.close(&headers))], Redirect::to("/login")).into_response())
}

//! Styles and scripts, embedded in the binary.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use crate::service::App;

/// The address of a file carries its hash, so that a new binary is never shown with old styles.
const CACHING: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "../../dashboards/web/assets/"]
struct Files;

pub fn routes() -> Router<App> {
    Router::new().route("/assets/{file}", get(serve))
}

/// Where a page finds a file.
pub fn href(name: &str) -> String {
    let hash = Files::get(name).map(|file| file.metadata.sha256_hash()).unwrap_or_default();
    format!("/assets/{name}?v={:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

async fn serve(Path(name): Path<String>) -> Response {
    let Some(file) = Files::get(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [(header::CONTENT_TYPE, media_type(&name)), (header::CACHE_CONTROL, CACHING)];
    (headers, file.data).into_response()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

//! Styles and scripts, embedded in the binary whatever the profile.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use medfleet_domain::id::Epoch;

use crate::service::App;

/// The address of a file carries its hash, so that a new binary is never shown with old styles.
const CACHING: &str = "public, max-age=31536000, immutable";

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        Asset {
            name: $name,
            media_type: $media_type,
            bytes: include_bytes!(concat!("../../../dashboards/web/assets/", $name)),
        }
    };
}

static ASSETS: [Asset; 4] = [
    asset!("medfleet.css", "text/css; charset=utf-8"),
    asset!("live.js", "text/javascript; charset=utf-8"),
    asset!("alerts.js", "text/javascript; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
];

pub fn routes() -> Router<App> {
    Router::new().route("/assets/{file}", get(serve))
}

fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Where a page finds a file.
pub fn href(name: &str) -> String {
    let version = find(name).map_or(Epoch(0), |asset| Epoch::derived(&[asset.bytes]));
    format!("/assets/{name}?v={version}")
}

async fn serve(Path(name): Path<String>) -> Response {
    match find(&name) {
        Some(asset) => {
            ([(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, CACHING)], asset.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

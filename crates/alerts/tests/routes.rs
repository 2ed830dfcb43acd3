//! The example that departments copy can be used as it is.

use medfleet_alerts::route::Routes;

const EXAMPLE: &str = include_str!("../../../infra/alerts/routes.yaml");

#[test]
fn the_example_of_routes_can_be_read() {
    Routes::read(EXAMPLE).expect("the example is sound");
}

//! What a person does.

use crate::desk::Desk;

#[test]
fn the_window_opens_and_leaves_a_meeting() {
    let desk = Desk::new(1280, 800);
    let ana = desk.program("ana", &[]);
    ana.wait("start");
}

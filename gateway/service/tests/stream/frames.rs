//! Frames as no stock client sends them.

use serde_json::json;

use super::{
    client::{Client, frame, placing},
    world::{World, order, rt},
};

/// Each bad frame closes its session with the code of the standard (RFC 6455 §7.4.1), decides nothing, and leaves the others alone.
///
/// Control, built in: the same order in fragments, and by the neighbour, passes. Tried: with a limit of 1 MiB on messages the long one brings no close.
#[test]
fn bad_frames_close_their_own_session() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let mut neighbour = Client::of(&world, &leaf).await;
        let text = placing("x", &order("x")).to_string();
        let text = text.as_bytes();
        let long = [text, &vec![b' '; 64 * 1_024]].concat();
        let in_parts = [frame(0x01, &long[..9_000], true), frame(0x80, &long[9_000..], true)].concat();
        for (what, octets, code) in [
            ("unmasked", frame(0x81, text, false), 1002),
            ("binary", frame(0x82, text, true), 1003),
            ("too long", frame(0x81, &long, true), 1009),
            ("too long in parts", in_parts, 1009),
            ("no UTF-8", frame(0x81, b"{\"op\":\"\xff\xfe\"}", true), 1007),
            ("a reserved bit", frame(0xc1, text, true), 1002),
            ("an unknown opcode", frame(0x83, text, true), 1002),
            ("a ping in parts", frame(0x09, b"", true), 1002),
            ("a long ping", frame(0x89, &[0; 126], true), 1002),
            ("a part of nothing", frame(0x80, text, true), 1002),
        ] {
            let mut bot = Client::of(&world, &leaf).await;
            bot.raw(&octets).await;
            assert_eq!(bot.closed().await.0, code, "{what}");
        }
        assert!(world.permits("mm-1").await.is_empty());
        let mut bot = Client::of(&world, &leaf).await;
        bot.raw(&frame(0x01, &text[..10], true)).await;
        bot.raw(&frame(0x89, b"still there?", true)).await;
        assert_eq!(bot.frame().await, Some((10, b"still there?".to_vec())));
        bot.raw(&frame(0x80, &text[10..], true)).await;
        assert_eq!(bot.answered("x").await["status"], 200);
        let passes = neighbour.ask("y", placing("y", &order("y"))).await;
        assert_eq!(passes["status"], 200, "{passes}");
    });
}

/// A message within the frame's bound whose order is longer than the routes take is answered as they answer it.
#[test]
fn an_order_above_the_bound_of_the_routes_is_too_large() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let mut bot = Client::of(&world, &leaf).await;
        let mut long = placing("1", &order("a"));
        long["order"]["reasoning"] = json!("x".repeat(world.instances[0].gateway.settings.body_bytes));
        let answer = bot.ask("1", long).await;
        assert_eq!(answer["body"]["code"], "BODY_TOO_LARGE", "{answer}");
    });
}

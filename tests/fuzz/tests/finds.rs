//! The fuzzer itself can fail: it finds a panic behind a magic word, memory out of proportion, and memory left behind.

use std::panic::catch_unwind;

use medfleet_fuzz::{Bounds, Heap, fuzz};

#[global_allocator]
static HEAP: Heap = Heap;

fn complaint(name: &str, corpus: Vec<Vec<u8>>, parse: impl FnMut(&[u8]) -> String + std::panic::UnwindSafe) -> String {
    let found = catch_unwind(move || fuzz(name, corpus, Bounds::default(), parse)).expect_err("nothing was found");
    found.downcast_ref::<String>().cloned().expect("a message")
}

/// Each right letter is another answer: only a search that keeps what is new gets to the end.
fn letters_right(input: &[u8]) -> usize {
    input.iter().zip(b"poison").take_while(|(letter, right)| letter == right).count()
}

#[test]
fn a_panic_behind_a_word_is_found_step_by_step() {
    let parse = |input: &[u8]| {
        let right = letters_right(input);
        assert!(right < 6, "the whole word");
        right.to_string()
    };
    let said = complaint("word", vec![b"aaaaaa".to_vec()], parse);
    assert!(said.contains("panicked") && said.contains("poison"), "{said}");
}

#[test]
fn a_length_that_is_believed_is_found() {
    let parse = |input: &[u8]| {
        let claimed = input.get(..4).map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
        drop(Vec::<u8>::with_capacity(claimed as usize));
        String::new()
    };
    let said = complaint("length", vec![vec![4, 0, 0, 0, 1]], parse);
    assert!(said.contains("bytes of heap"), "{said}");
}

#[test]
fn what_is_never_freed_is_found() {
    let parse = |input: &[u8]| {
        std::mem::forget(input.to_vec());
        String::new()
    };
    let said = complaint("keeper", vec![b"anything".to_vec()], parse);
    assert!(said.contains("left") && said.contains("behind"), "{said}");
}

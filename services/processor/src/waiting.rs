//! Rows that wait for a flush, in blocks: none is moved as more come, and no block is so large that its memory goes back to
//! the system each time.

const BLOCK_ROWS: usize = 1_024;

#[derive(Debug)]
pub struct Waiting<R>(Vec<Vec<R>>);

impl<R> Default for Waiting<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> Waiting<R> {
    pub fn push(&mut self, row: R) {
        match self.0.last_mut() {
            Some(block) if block.len() < BLOCK_ROWS => block.push(row),
            // Most tables get a few rows: only what fills one block is worth a whole one.
            before => {
                let mut block = Vec::with_capacity(if before.is_some() { BLOCK_ROWS } else { 0 });
                block.push(row);
                self.0.push(block);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.0.split_last().map_or(0, |(last, full)| full.len() * BLOCK_ROWS + last.len())
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.iter().flatten()
    }
}

impl<R> Extend<R> for Waiting<R> {
    fn extend<I: IntoIterator<Item = R>>(&mut self, rows: I) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_in_the_order_they_went_in() {
        for rows in [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS] {
            let mut waiting = Waiting::default();
            waiting.extend(0..rows);
            assert_eq!((waiting.len(), waiting.is_empty()), (rows, rows == 0));
            assert!(waiting.iter().copied().eq(0..rows));
        }
    }
}

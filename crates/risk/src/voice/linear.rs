//! Systems of linear equations whose matrix is symmetric and positive: a step of Newton's method.

/// Cholesky's method; of the matrix the lower half is given.
pub fn solve<const SIZE: usize>(of: &mut [[f64; SIZE]; SIZE], right: [f64; SIZE]) -> [f64; SIZE] {
    for row in 0..SIZE {
        for column in 0..=row {
            let sum: f64 = (0..column).map(|before| of[row][before] * of[column][before]).sum();
            let left = of[row][column] - sum;
            of[row][column] =
                if row == column { left.max(f64::MIN_POSITIVE).sqrt() } else { left / of[column][column] };
        }
    }
    let mut solved = right;
    for row in 0..SIZE {
        let sum: f64 = (0..row).map(|before| of[row][before] * solved[before]).sum();
        solved[row] = (solved[row] - sum) / of[row][row];
    }
    for row in (0..SIZE).rev() {
        let sum: f64 = (row + 1..SIZE).map(|after| of[after][row] * solved[after]).sum();
        solved[row] = (solved[row] - sum) / of[row][row];
    }
    solved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        const SIZE: usize = 9;
        let mut of = [[0.0; SIZE]; SIZE];
        (0..SIZE).for_each(|place| of[place][place] = 4.0);
        (1..SIZE).for_each(|place| of[place][place - 1] = 1.0);
        let wanted: [f64; SIZE] = std::array::from_fn(|place| place as f64 - 3.0);
        let right = std::array::from_fn(|place| {
            let before = place.checked_sub(1).map_or(0.0, |before| wanted[before]);
            4.0 * wanted[place] + before + wanted.get(place + 1).copied().unwrap_or(0.0)
        });
        let solved = solve(&mut of, right);
        assert!(solved.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-9));
    }
}

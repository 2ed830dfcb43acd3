//! The product and its controls in turns: what the machine does beside them falls on all alike. While the product is asked, new facts are
//! folded and cuts are made; what the controls are asked stays as it was.

use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use crate::ask::{Users, resident_mebibytes};
use crate::control::Control;
use crate::teller::Teller;

/// Questions that the slowest control is asked in all.
const CONTROL_QUESTIONS: usize = 40;

/// So many rounds, each with its share of the questions to everybody; who begins changes from round to round.
pub async fn rounds(
    folder: &Path,
    questions: usize,
    users: usize,
    rounds: usize,
    script: Option<PathBuf>,
) -> anyhow::Result<()> {
    let mut product = Users::at(folder, users).await?;
    let mut controls = Control::all(folder, script).await?;
    let mut teller = Teller::beside(folder).await?;
    let parties = controls.len() + 1;
    for round in 0..rounds.max(1) {
        for turn in 0..parties {
            match (round + turn) % parties {
                0 => {
                    let (asked, end) = oneshot::channel();
                    let telling = tokio::spawn(teller.tell_until(end));
                    product.ask(share(questions, round, rounds)).await?;
                    drop(asked);
                    teller = telling.await??;
                    if round == 0 {
                        println!("resident {} MiB", resident_mebibytes());
                    }
                }
                control => {
                    let share = share(CONTROL_QUESTIONS, round, rounds);
                    controls[control - 1].ask(share, users, product.days()).await?;
                }
            }
        }
    }
    teller.report();
    product.end().await?;
    controls.iter_mut().for_each(Control::report);
    Ok(())
}

/// Of a number of questions, those of one round: no two differ by more than one.
const fn share(questions: usize, round: usize, rounds: usize) -> usize {
    questions * (round + 1) / rounds - questions * round / rounds
}

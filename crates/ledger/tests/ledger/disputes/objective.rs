//! Offences that a pure function decides.

use super::*;

fn pair(
    receipt: &FinalReceipt,
    change: impl Fn(&mut Receipt),
) -> (Signed<Receipt>, Signed<Receipt>) {
    let mut other = receipt.receipt.body.clone();
    change(&mut other);
    (receipt.receipt.clone(), Signed::sign(other, &node()))
}

#[test]
fn equivocation_is_proven_by_two_receipts_alone() {
    let (mut world, receipt, _) = begun(economy());
    let (first, second) = pair(&receipt, |other| other.output = Hash([1; 32]));
    world.done(&bob(), accuse(Evidence::Equivocation { first, second }));
    // All of 100 held: half retired, 30 to who reported, 20 to who paid.
    assert_eq!(world.account(&bob()).earned, Credits(30));
    assert_eq!(world.account(&alice()).credits, Credits(CREDITS - 1_000 + 20));
    assert_eq!(world.supply().retired, Credits(50));
    let found = conviction(&world, &node()).unwrap();
    assert_eq!((found.offence, found.ejected), (Offence::Equivocation, true));
    let (first, second) = pair(&receipt, |other| other.output = Hash([2; 32]));
    let again = accuse(Evidence::Equivocation { first, second });
    assert_eq!(world.refused(&bob(), again), "dispute_ejected");
    let register = Action::RegisterProvider { reward: account_of(&bob()), name: "p".into() };
    assert_eq!(world.refused(&node(), register), "escrow_ejected");
}

#[test]
fn a_job_billed_twice_is_an_offence_and_a_part_of_it_is_none() {
    let (mut world, receipt, _) = begun(economy());
    let (first, second) = pair(&receipt, |other| {
        (other.sequence, other.stop) = (2, StopReason::Partial);
    });
    let partial = accuse(Evidence::DoubleBill { first, second });
    assert_eq!(world.refused(&bob(), partial), "dispute_no_offence");
    let (first, second) = pair(&receipt, |other| other.sequence = 2);
    let unlike = Evidence::Equivocation { first: first.clone(), second: second.clone() };
    assert_eq!(world.refused(&bob(), accuse(unlike)), "dispute_no_offence");
    world.done(&bob(), accuse(Evidence::DoubleBill { first, second }));
    assert_eq!(conviction(&world, &node()).unwrap().offence, Offence::DoubleBill);
}

#[test]
fn evidence_that_proves_nothing_is_refused() {
    let (mut world, receipt, place) = begun(economy());
    let same = receipt.receipt.clone();
    let twice = Evidence::Equivocation { first: same.clone(), second: same };
    assert_eq!(world.refused(&bob(), accuse(twice)), "dispute_no_offence");
    let (first, mut second) = pair(&receipt, |other| other.output = Hash([1; 32]));
    second.signature.0[3] ^= 1;
    let forged = Evidence::Equivocation { first: first.clone(), second };
    assert_eq!(world.refused(&bob(), accuse(forged)), "dispute_receipt_forged");
    let mut other = first.body.clone();
    other.output = Hash([1; 32]);
    let second = Signed::sign(other, &bob());
    let framed = Evidence::Equivocation { first, second };
    assert_eq!(world.refused(&bob(), accuse(framed)), "dispute_receipt_forged");
    let (first, second) = pair(&receipt, |other| {
        (other.output, other.network) = (Hash([1; 32]), NetworkId::default());
    });
    let foreign = Evidence::Equivocation { first, second };
    assert_eq!(world.refused(&bob(), accuse(foreign)), "dispute_wrong_network");
    let honest = Evidence::ForgedSignature { receipt, place };
    assert_eq!(world.refused(&bob(), accuse(honest)), "dispute_no_offence");
}

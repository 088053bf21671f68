//! What everybody does about points, where a profile has them.

use remuda_ledger::points::{PointsAction, PointsAnswer, PointsQuery};
use remuda_ledger::{Action, Answer, Query};
use remuda_types::Tokens;

use super::World;
use crate::assumptions::{DECISION_DAYS, TURN_DAYS};
use crate::play::Actor;

/// How many chests are opened at once.
const CHESTS_AT_ONCE: u32 = 64;

impl World {
    /// Providers whose turn it is take their certificates, chests and tokens.
    pub(super) fn play_points(&mut self) {
        if !self.economy.points.on {
            return;
        }
        for index in 0..self.providers.len() {
            if self.is_turn(self.providers[index].turn) && self.providers[index].active {
                let actor = self.providers[index].actor.clone();
                self.take_points(&actor);
            }
        }
    }

    /// An account takes what its points bring.
    pub(crate) fn take_points(&mut self, actor: &Actor) {
        let query = Query::Points(PointsQuery::Account(actor.account));
        let Answer::Points(PointsAnswer::Account(Some(points))) = self.play.ledger.query(&query)
        else {
            return;
        };
        if points.converted > points.released {
            // Once a month: some is always free by then.
            if self.day % DECISION_DAYS < TURN_DAYS {
                self.play.act(&actor.key, Action::Points(PointsAction::ClaimTokens));
            }
            return;
        }
        if points.converted > Tokens(0) {
            return;
        }
        if points.qualified && points.certificate.is_none() {
            self.play.act(&actor.key, Action::Points(PointsAction::ClaimCertificate));
        }
        let query = Query::Points(PointsQuery::Chests(actor.account));
        if let Answer::Points(PointsAnswer::Chests(chests)) = self.play.ledger.query(&query) {
            let count = chests.openable.min(CHESTS_AT_ONCE);
            if count > 0 {
                self.play.act(&actor.key, Action::Points(PointsAction::OpenChests { count }));
            }
        }
    }
}

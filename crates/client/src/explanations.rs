//! The explanations of recent orders.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use remuda_market::Explanation;
use remuda_types::OrderId;

/// The most orders remembered; the oldest is forgotten first.
const ORDERS_MAX: usize = 4096;

#[derive(Debug, Default)]
struct Kept {
    by_order: HashMap<OrderId, Explanation>,
    age: VecDeque<OrderId>,
}

#[derive(Debug, Default)]
pub(crate) struct Explanations(Mutex<Kept>);

impl Explanations {
    pub(crate) fn put(&self, order: OrderId, explanation: Explanation) {
        let mut kept = self.0.lock();
        if kept.by_order.insert(order, explanation).is_none() {
            kept.age.push_back(order);
        }
        if kept.age.len() > ORDERS_MAX
            && let Some(oldest) = kept.age.pop_front()
        {
            kept.by_order.remove(&oldest);
        }
    }

    pub(crate) fn get(&self, order: &OrderId) -> Option<Explanation> {
        self.0.lock().by_order.get(order).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::Hash;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let order = |number: usize| OrderId(Hash::of_content(&number.to_le_bytes()));
        let kept = Explanations::default();
        for number in 0..=ORDERS_MAX {
            kept.put(order(number), Explanation::default());
        }
        assert_eq!(kept.get(&order(0)), None);
        assert!(kept.get(&order(1)).is_some() && kept.get(&order(ORDERS_MAX)).is_some());
    }
}

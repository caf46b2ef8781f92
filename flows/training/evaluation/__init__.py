"""Honest evaluation: pure functions on arrays, one module a question. What a report says about them in French is made elsewhere.

classification, multilabel, ordered,
regression, ranking, retrieval, entities scores of a task: {"rows": n, metric: {"value", "low", "high"}}
paired                                   a challenger against the champion on the same rows
calibration, thresholds                  can a probability be believed; from which one on is an answer given
groups, label_problems, errors           where it is weak, which labels look wrong, examples to read
leakage, learning_curve, plots           texts on two sides, would more rows help, pictures

Each dictionary is JSON as it is. A score that does not exist (recall of a label without rows) is None, never 0. Intervals are 95 %
percentile bootstrap intervals (intervals.py) and need no more memory for ten million rows than for ten thousand.
"""

from flows.training.evaluation.classification import confusion, evaluate, scores

__all__ = ["confusion", "evaluate", "scores"]

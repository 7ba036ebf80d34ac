"""Anomaly detection: rows that are far from what was seen, in the space of an encoder."""

from skcontrast.anomaly._detector import ContrastiveAnomalyDetector

__all__ = ["ContrastiveAnomalyDetector"]

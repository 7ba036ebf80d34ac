"""What objectives that read the steps of series share."""

import torch


def seen_steps(objective, steps, step_mask, least=1):
    """Which steps were seen (V, n, T): all of them where there is no mask.

    Raises where series are shorter than ``least``.
    """
    if steps.shape[2] < least:
        raise ValueError(
            f"{type(objective).__name__} got series of length {steps.shape[2]} and needs {least}: "
            "pass longer series, or type objective='info_nce'."
        )
    if step_mask is None:
        return torch.ones(steps.shape[:3], dtype=torch.bool, device=steps.device)
    return step_mask

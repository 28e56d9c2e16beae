"""A control's signals go through a file from the process that gated it to those that need them, and come back whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cytocar.sample.control_signals import GRANULOCYTES, WITNESSES, load_references, save_references
from cytocar.sample.protocol import Protocol, unlocked
from cytocar.sheet.rows import SampleRow, SampleType
from cytocar.simulate import Preparation, blood_tube
from cytocar.template.load import load_template


def test_signals_of_a_control_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "baseline.fcs"
    blood_tube(car_per_ul=0, preparation=Preparation(drawn_share=0.1), seed=3).write(path)
    template = load_template("cart-cd19fc")
    row = SampleRow(file=path, file_as_given=path.name, sample_id="B", sample_type=SampleType.BASELINE)
    saved = save_references(row, Protocol(template, unlocked(template)), tmp_path)
    assert saved is not None
    file, _ = saved
    references = load_references([file])
    (car,) = (one for one in template.populations if one.name == template.report.car)
    assert set(references) == {car.parent, template.counting.beads, WITNESSES, GRANULOCYTES}
    for (control,) in references.values():
        (values,) = control.values.values()
        assert len(values) > 100
        assert np.all(np.diff(values) >= 0)
    ((control,),) = (references[car.parent],)
    assert np.array_equal(np.sort(np.concatenate(control.kinds["CAR"])), control.values["CAR"])
    cd4, cd8, other = (len(one) for one in control.kinds["CAR"])
    assert cd4 > 10 * other
    assert cd8 > 5 * other
    assert not references[template.counting.beads or ""][0].kinds

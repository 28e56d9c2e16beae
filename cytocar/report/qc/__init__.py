"""Pages of quality control: ``eqa.html`` of proficiency samples, ``qc.html`` of charts over runs."""

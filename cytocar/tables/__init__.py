"""The columns of every output, declared once; CSV, Parquet and Data Package; tables read in; comparison."""

# The course of a run in R: Rscript course_of_a_run.R RUN > course.csv
# Needs no package. A result below the limit keeps its limit as an upper bound; it is never a 0.
run <- commandArgs(trailingOnly = TRUE)[1]
counts <- read.csv(file.path(run, "counts.csv"), na.strings = "", encoding = "UTF-8")
counts <- subset(counts, sample_type %in% c("sample", "baseline") & status %in% c("ok", "review") & !is.na(day))
counts <- counts[order(counts$subject_id, counts$day), ]
quantified <- counts$car_result == "quantified"
course <- data.frame(
  subject_id = counts$subject_id,
  day = counts$day,
  cells_per_ul = ifelse(quantified, counts$car_per_ul, NA),
  below_per_ul = ifelse(quantified, NA, counts$car_lod_per_ul),
  low = ifelse(quantified, counts$car_per_ul_low, NA),
  high = ifelse(quantified, counts$car_per_ul_high, NA)
)
write.csv(course, row.names = FALSE, na = "", quote = FALSE)

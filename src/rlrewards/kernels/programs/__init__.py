"""The Triton programs, a file for each kernel; importing one imports Triton."""

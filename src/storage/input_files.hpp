// The files of an input as the root knows them: facts, chunk maps and the recipe for the bytes of any rows.
#pragma once

#include "h5score/h5/dataset.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/layout.hpp"

#include "byte_reader.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::storage {

/// One dataset of one file.
struct ArraySource {
  h5::DatasetFacts facts;
  std::shared_ptr<const ByteFile> bytes;  ///< the file that holds it
  h5::ChunkMap map;                       ///< chunked: of the selected rows' chunk rows
  u64 first_chunk_row = 0;                ///< of the map
  std::vector<bool> needed;               ///< chunked: which chunks of a chunk row hold selected columns; empty: all
};

struct InputFile {
  FileRecord record;
  u64 dataset_rows = 0;
  u32 format = 0;  ///< index into RowFormat::formats
  std::vector<ArraySource> arrays;
  [[nodiscard]] base::RowRange rows() const { return {record.dataset_row, record.dataset_row + record.rows}; }
};

/// What it takes to make a payload: its head, the ranges to read into it, and what the name node must serve.
struct Recipe {
  struct Range {
    const ByteFile* file = nullptr;
    ByteRange bytes;
  };
  struct Served {
    const ArraySource* source = nullptr;
    u64 size = 0;
    u64 offset = 0;
  };
  base::Bytes head;
  std::vector<Range> ranges;
  std::vector<Served> served;
  u64 payload_bytes = 0;
};

/// The recipe for rows `rows` of the dataset of `file`.
Recipe make_recipe(const InputFile& file, const FileFormat& format, base::RowRange rows);

/// Opens files through the name node and joins them: formats, records, columns; without --rows and without maps.
struct JoinedFiles {
  std::vector<InputFile> files;
  RowFormat format;
  u64 rows = 0;
};
JoinedFiles join_files(h5::Sandbox& name_node, const InputOptions& options);

}  // namespace h5score::storage

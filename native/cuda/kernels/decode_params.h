// What the kernels of decode attention are given. Shared by host and device code.
#pragma once
#include <cstdint>

#include "cuda/kernels/error_word.h"

namespace duo::cuda {

// One query row.
struct DecodeRow {
  int32_t row;       // of q and o
  int32_t position;  // of the key at distance 0
  int32_t keys;      // how many it sees
};

// Rows of one slot that go through its keys together.
struct DecodeTask {
  int32_t slot;
  int32_t keys;  // the most that a row sees
  int32_t firstRow, rows;
};

constexpr int kDecodeRows = 8;  // of a task
constexpr int kDecodeThreads = 128;
constexpr int kDecodeLanes = 16;  // that share a key, four columns each
constexpr int kDecodeGroups = kDecodeThreads / kDecodeLanes;
constexpr int kDecodeColumns = 4 * kDecodeLanes;

// A cache (slot, H, maxLen, D) by its strides, in elements.
struct DecodeCache {
  float* data;
  int64_t slot, head, key;
};

struct DecodeParams {
  const void* q;
  int64_t rowOfQ, headOfQ;  // strides
  DecodeCache k, v;
  const DecodeTask* tasks;
  const DecodeRow* rows;
  const int32_t* slotTable;  // (slots, maxLength) or null
  const void* table;         // (numBuckets, H) or null
  const int32_t* buckets;    // along relative positions −reach … reach
  int32_t reach;
  int32_t slots, maxLength;
  int32_t taskCount, heads, size, rowCount;
  int32_t splits, splitKeys;  // how keys are cut; 1: blocks write the result themselves
  int32_t vectors;            // 1: rows of the caches lie at multiples of 16 bytes and have no remainder
  float scale;
  uint64_t call;
  ErrorWord* error;
};

}  // namespace duo::cuda

"""Every number the planner did not derive from a shape, each with where it comes from.

"Measured" means: transformers 5.17, peft 0.21 and torch 2.11 on an H100, random weights, memory read from torch's
allocator while one dimension of the model varied at a time. The coefficients came out whole to two digits, and equal
those that the published runs of tests/data/measured_memory.json leave over (torch 2.2, flash attention, an A100).
Bytes per token unless a comment says otherwise; h is hidden_size, i the MLP width.
"""

from core.units import GIB, MIB

# --- weights ---------------------------------------------------------------------------------------------------------
BF16 = 2
FP32 = 4
FP8 = 1
# NF4 with double quantisation (Dettmers et al. 2023, section 3): half a byte for a weight, an 8-bit scale for each
# block of 64 weights, and a 32-bit scale for each 256 of those scales.
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
NF4_SINGLE = 0.5 + 4 / 64  # without double quantisation every block of 64 keeps a 32-bit scale

# --- optimizer: bytes for one trainable number -----------------------------------------------------------------------
ADAMW_STATES = 2  # first and second moment, each in the adapter's own type (torch.optim.AdamW)
ADAMW_8BIT = 2 + 2 * 4 / 256  # two 8-bit moments, each with a 32-bit scale for a block of 256 (bitsandbytes)

# --- activations of one decoder layer, bytes a token (measured) ------------------------------------------------------
CHECKPOINT_H = 2  # the input of every layer, kept in bf16
FINAL_NORM_H = 6  # after the last layer: the norm's fp32 input (4) and its bf16 output (2)
# At the worst moment of a recomputed layer's backward: gate, its activation, up and their product's gradients.
WORKING_I = 12
WORKING_H = 16
WORKING_FP32_I = 2  # more, where fp32 adapter matrices on a 16-bit base force fp32 copies of the MLP's inputs
WORKING_FP32_H = 14
WORKING_EXTRA_NORM_H = 5  # more for each norm beyond two in a layer (Gemma)
# Kept from the forward pass of every layer when nothing is recomputed.
SAVED_I = 6
SAVED_LORA_I = 2  # more when down_proj carries an adapter: its input is needed again
SAVED_H = 10
SAVED_NORM_H = 8  # of these, the inputs of a layer's two norms, which are fp32 whatever the rest is computed in
SAVED_LORA_H = 2  # more when the MLP carries an adapter
SAVED_FP32_H = 6  # more for fp32 copies, as above
SAVED_EXTRA_NORM_H = 4
UNROLLED_I, UNROLLED_H = 2, 28  # gradients in flight at the worst moment without checkpointing, once for the model
# Attention, in units of q_size and kv_size. Padding brings a mask, for which keys and values are repeated to the width
# of the queries; without a mask they are kept narrow.
MASKED_Q, CAUSAL_Q, CAUSAL_KV = 8, 4, 4
FP32_Q = 2  # the fp32 copy of the attention output under an fp32 adapter
QK_NORM_Q, QK_NORM_KV = 4, 4
# The mask, a token and a column of it: booleans made once, and the attention kernel's own bf16 copy in every layer.
MASK_SHARED, MASK_LAYER = 1, 2
# Mixture of experts, for each of the experts a token is sent to (measured on Qwen3-MoE and Mixtral shapes).
EXPERT_WORKING_I, EXPERT_WORKING_H, SPARSE_WORKING_H = 8, 7, 19
EXPERT_SAVED_I, EXPERT_SAVED_H = 6, 2
# Groups computed together (core/worker/update/packing.py): this many token positions, and on a GPU as many as make
# this many numbers of hidden state. Below that a pass of a narrow model is spent launching kernels: a step's update of
# 1.5B on an H100, 64 completions of 256 tokens, launches for 0.45 s whatever the size of its pack.
PACK_TOKENS, PACK_NUMBERS = 4096, 2**25
AUTOCAST_COPY = 2  # bytes for each number of an fp32 adapter: autocast's bf16 copy, alive until the forward pass ends

# --- language-model head ---------------------------------------------------------------------------------------------
# Bytes a logit. Plain: fp32 logits, their scaled copy and their gradient (measured 12.0; published runs 8 to 16).
PLAIN_LOGIT = 12
# Fused: TRL 1.16 multiplies tiles of 4096 tokens by 32768 words (trl/kernels/chunked_logprob.py) and keeps the scored
# hidden states (2), their gradient in fp32 (4) and its bf16 copy (2).
FUSED_TILE_TOKENS, FUSED_TILE_WORDS, FUSED_H = 4096, 32_768, 8
# Chunked: logits of this many tokens at once, recomputed in the backward pass (measured 16.1 bytes a logit).
CHUNK_TOKENS, CHUNKED_LOGIT = 512, 16
# A head that is not trained: fp32 log-probabilities (4), probabilities (4) and their bf16 copy (2); nothing recomputed.
FROZEN_LOGIT = 10
# On a CPU 128 x 49,152 x 4 bytes are 24 MiB, which glibc reuses; above 32 MiB it asks for fresh pages every time.
CPU_CHUNK_TOKENS = 128

# --- the engine (vLLM 0.31) ------------------------------------------------------------------------------------------
GPU_BLOCK_TOKENS = 16  # vllm/config/cache.py
# Set by our engine, not vLLM's 128 for CPUs: completions of a group share whole blocks of their prompt only, and with
# 128 a prompt of 69 tokens was computed eight times for a group of eight (1.7 s instead of 0.4 s for four groups).
# 32 is the smallest block that vLLM's CPU attention takes.
CPU_BLOCK_TOKENS = 32
GPU_CONCURRENT_BATCHES, CPU_CONCURRENT_BATCHES = 2, 1  # scheduling is asynchronous on a GPU, not on a CPU
# EngineArgs.get_batch_defaults for the LLM class; the large ones are GPUs of 70 GiB and more but the A100.
GPU_BATCHED_TOKENS, LARGE_GPU_BATCHED_TOKENS, CPU_BATCHED_TOKENS = 8192, 16_384, 4096
LARGE_GPU_BYTES = 70 * GIB
MAX_SEQUENCES = 256  # what our engine asks for at most
# Architectures whose engine implementation gives the embeddings and the head an adapter slot as well.
EMBEDDING_SLOT_TYPES = ("llama", "granite", "smollm3", "mixtral", "qwen3", "qwen3_moe")
# The profiling run: either one batch of prompts, or the sampler's sort of every sequence's logits. The batch was fitted
# on an H100 with vLLM 0.26, compiled: six engines of 0.5B to 8B give these and 334 MiB besides, five of them within
# 10 MiB, 8B within 22. The sampler was read off vLLM's start-up logs; 256 sequences of Llama 3 8B give 1.23 GiB where
# vLLM reports 1.26 (vllm-project/vllm 10511).
PROFILE_I, PROFILE_H = 6, 6
SAMPLER_LOGIT = 38.1
SAMPLER_BYTES = 72 * MIB
ENGINE_NON_TORCH_BYTES = 133 * MIB
# What vLLM sets aside for CUDA graphs: they share one pool, and those for 256 sequences took no
# more than those for 32.
GRAPH_BYTES = 201 * MIB

# --- what a process takes besides its tensors ------------------------------------------------------------------------
DRIVER_BYTES = 480 * MIB  # nvidia-smi's total less what cudaMemGetInfo calls total (H100: 81559 and 81079 MiB)
CONTEXT_BYTES = 749 * MIB  # CUDA context with cuBLAS loaded (H100, torch 2.11)
PROCESS_BYTES = 768 * MIB  # resident memory of a Python process with torch, TRL and vLLM imported, no model (Linux)
# The allocator holds more than it hands out, in proportion to what comes and goes: measured with expandable segments,
# which workers are started with (published runs without them reserve 1.08 to 1.17 times what they allocate).
FRAGMENTATION = 0.06
# glibc keeps what a CPU run frees: SmolLM2 135M peaked at 1.6 to 1.9 times what was alive, over batches of 800 to
# 8000 tokens. With MALLOC_MMAP_THRESHOLD_=131072 it gave everything back (1.0 to 1.1 times) at a third of the speed.
CPU_FRAGMENTATION = 0.8
# In fp32, without autocast's copies, it is 1.4 times where answers are half as long as they may be (a demo of rank 8,
# 16 or 64) and 1.7 to 1.8 times at full length; what lies between is within 6 % of the whole process either way.
CPU_FP32_FRAGMENTATION = 0.6

# --- for comparing with published figures, which are what torch's allocator counts -----------------------------------
CUBLAS_BYTES = 2 * 8.125 * MIB  # one workspace each for the forward and the backward thread (Ampere)
# transformers before 4.45 kept rotary tables (cosines and sines in bf16) for every position of the context in every
# layer of these architectures. Only the benchmarks named here are known to have used it.
ROTARY_TABLE_TYPES = ("mistral", "mixtral", "qwen2")
ROTARY_TABLE_SOURCES = ("fms-acceleration",)

"""vLLM's scheduler for rollouts: steps in which every sequence grows by one token cost one short pass over them.

vLLM plans each step as if anything might come: it asks for memory, builds records and hands every token out on its
own. On the hosts that GPUs are rented with, that Python took 19 ms a step for 256 sequences where the GPU took 11. Most
steps of a rollout need none of it: the sequences are known and each wants its next token. Those steps are planned here,
and what they sample is kept until its sequence ends. All else goes to vLLM: prompts, the first and the last token
of a sequence, memory running out. The samples are the same to the bit; only the time between them is shorter.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec
from vllm.v1.request import Request, RequestStatus


@dataclass
class Rollout:
    """What one sequence has sampled so far.

    stops, most  tokens that end it and the number of tokens that does; vLLM decides about those itself
    unsent       the last so many tokens have not been handed to vLLM's front end
    """

    request: Request
    stops: frozenset[int]
    most: int
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    unsent: int = 0
    finish_reason: str = ""


class RolloutScheduler(Scheduler):
    """Waits for each step before it plans the next."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = self.kv_cache_config.kv_cache_groups
        self._plain = len(groups) == 1 and type(groups[0].kv_cache_spec) is FullAttentionSpec
        self._plain &= not (self.num_spec_tokens or self.use_pp or self.defer_block_free)
        self._plain &= self.connector is None and self.ec_connector is None
        self._runs_ahead = isinstance(self, AsyncScheduler)
        self._rollouts: dict[str, Rollout] = {}  # in the order in which they were asked for

    def take(self) -> list[Rollout]:
        """Everything sampled since the last call, a sequence each, in the order in which they were asked for."""
        rollouts, self._rollouts = list(self._rollouts.values()), {}
        return rollouts

    def add_request(self, request: Request) -> None:
        super().add_request(request)
        wanted = request.sampling_params
        stops = frozenset((wanted.eos_token_id, *(wanted.stop_token_ids or ()))) - {None}
        most = min(request.max_tokens, self.max_model_len - request.num_prompt_tokens)
        self._rollouts[request.request_id] = Rollout(request, stops, most)

    def schedule(self, *args: Any, **kwargs: Any) -> SchedulerOutput:
        growing = self._growing()
        if growing:
            return self._next_token_of(growing)
        for request in self.running:
            request.update_block_hashes()
        return super().schedule(*args, **kwargs)

    def update_from_output(self, scheduler_output: SchedulerOutput, model_runner_output: Any) -> dict[int, Any]:
        rest = self._keep(scheduler_output.num_scheduled_tokens, model_runner_output)
        outputs = super().update_from_output(replace(scheduler_output, num_scheduled_tokens=rest), model_runner_output)
        for told in outputs.values():
            for output in told.outputs:
                self._add(output)
        return outputs

    def _growing(self) -> list[Request]:
        """The sequences of a step in which each that runs wants one token and has or can get the room; else none."""
        waiting = self.get_num_unfinished_requests() > len(self.running)
        if (waiting and len(self.running) < self.max_num_running_reqs) or not self._plain:
            return []
        if self._pause_state.name != "UNPAUSED" or self.reset_preempted_req_ids:
            return []
        growing, opening = [], 0
        for request in self.running:
            computed, ahead = request.num_computed_tokens, request.num_output_placeholders
            if len(request._all_token_ids) + ahead - computed != 1:
                return []
            last = computed + 2 - ahead >= request.num_prompt_tokens + request.max_tokens
            if (ahead and last) or computed + 1 >= self.max_model_len:
                continue  # its last token is being computed
            if not self.use_v2_model_runner and request.request_id not in self.prev_step_scheduled_req_ids:
                return []
            opening += computed % self.block_size == 0
            growing.append(request)
        room = opening <= self.kv_cache_manager.block_pool.get_num_free_blocks()
        return growing if room and len(growing) <= self.max_num_scheduled_tokens else []

    def _next_token_of(self, growing: list[Request]) -> SchedulerOutput:
        """One token for each of these; a block of the KV cache for those whose last one is full."""
        self.current_step += 1
        self.kv_cache_manager.new_step_starts()
        step, cached = SchedulerOutput.make_empty(), []
        for request in growing:
            blocks = None
            if request.num_computed_tokens % self.block_size == 0:
                request.update_block_hashes()
                blocks = self.kv_cache_manager.allocate_slots(request, 1).get_block_ids(allow_none=True)
            outputs = len(request._output_token_ids) + request.num_output_placeholders
            cached.append((request.request_id, blocks, request.num_computed_tokens, outputs))
        told = step.scheduled_cached_reqs
        columns = map(list, zip(*cached, strict=True))
        told.req_ids, told.new_block_ids, told.num_computed_tokens, told.num_output_tokens = columns
        step.num_scheduled_tokens = dict.fromkeys(told.req_ids, 1)
        step.total_num_scheduled_tokens = len(growing)
        step.num_common_prefix_blocks = self.kv_cache_manager.get_num_common_prefix_blocks(told.req_ids[0])
        step.finished_req_ids = self.finished_req_ids
        step.new_block_ids_to_zero = self._get_new_block_ids_to_zero()
        if not self.use_v2_model_runner:
            self.prev_step_scheduled_req_ids.clear()
            self.prev_step_scheduled_req_ids.update(told.req_ids)
        self._update_after_schedule(step)
        return step

    def _keep(self, scheduled: dict[str, int], found: Any) -> dict[str, int]:
        """Takes the tokens that end nothing and begin nothing; returns what is left for vLLM."""
        tokens, logprobs = found.sampled_token_ids, found.logprobs
        if not (self._plain and tokens and logprobs is not None) or logprobs.cu_num_generated_tokens is not None:
            return scheduled
        sampled, rest = logprobs.logprobs[:, 0].tolist(), {}
        for name, count in scheduled.items():
            rollout, row = self._rollouts.get(name), found.req_id_to_index[name]
            if rollout is None or not rollout.token_ids or count != 1 or len(tokens[row]) != 1:
                rest[name] = count
                continue
            request, token = rollout.request, tokens[row][0]
            running = request.status == RequestStatus.RUNNING and not request.num_preemptions
            if not running or token in rollout.stops or len(rollout.token_ids) + 1 >= rollout.most:
                rest[name] = count
                continue
            request.num_in_flight_tokens -= 1
            request.num_output_placeholders -= self._runs_ahead
            request._output_token_ids.append(token)
            request._all_token_ids.append(token)
            rollout.token_ids.append(token)
            rollout.logprobs.append(sampled[row])
            rollout.unsent += 1
        return rest

    def _add(self, output: Any) -> None:
        """Notes what vLLM hands out, and gives it what was kept; the logprobs stay here."""
        rollout = self._rollouts.get(output.request_id)
        if rollout is None:
            return
        kept = rollout.token_ids[len(rollout.token_ids) - rollout.unsent :]
        rollout.token_ids += output.new_token_ids
        if output.new_logprobs is not None:
            rollout.logprobs += output.new_logprobs.logprobs[:, 0].tolist()
        output.new_token_ids, output.new_logprobs, rollout.unsent = kept + output.new_token_ids, None, 0
        if output.finish_reason is not None:
            rollout.finish_reason = str(output.finish_reason)


class AsyncRolloutScheduler(RolloutScheduler, AsyncScheduler):
    """Plans a step while the GPU computes the one before."""

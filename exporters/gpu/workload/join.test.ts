import { describe, expect, it } from 'vitest';
import type { DeviceView } from '../fleet.ts';
import { deploymentOf, type JoinInput, joinWorkloads } from './join.ts';

const UUID = 'GPU-1';

function device(more: Partial<DeviceView> = {}): DeviceView {
  return { uuid: UUID, gpu: '0', gauges: [], counters: [], processes: [], pods: [], ...more };
}

function join(input: Partial<JoinInput>): ReturnType<typeof joinWorkloads> {
  return joinWorkloads({ devices: [device()], identities: new Map(), podDevices: [], ...input });
}

const POD_DEVICES = { namespace: 'llm', pod: 'chat-7c9d8b6f5d-x2x4q', container: 'vllm', resource: 'nvidia.com/gpu' };

describe('joinWorkloads', () => {
  it('names deployment and model by Kubernetes and by the process', () => {
    const devices = [
      device({
        processes: [
          { pid: 7, memoryBytes: 10 },
          { pid: 8, memoryBytes: 5 },
        ],
      }),
    ];
    const identities = new Map([7, 8].map((pid) => [pid, { isInPod: true, pod: POD_DEVICES.pod, model: 'org/m' }]));
    expect(join({ devices, identities, podDevices: [{ ...POD_DEVICES, deviceIds: [UUID] }] })).toEqual([
      {
        uuid: UUID,
        instance: undefined,
        namespace: 'llm',
        pod: POD_DEVICES.pod,
        container: 'vllm',
        deployment: 'chat',
        model: 'org/m',
        memoryBytes: 15,
      },
    ]);
  });

  it('takes dcgm-exporter at its word where the kubelet says nothing, and time slices for their GPU', () => {
    const pods = [{ namespace: 'llm', pod: 'embed-0', container: 'tei' }];
    expect(join({ devices: [device({ pods })] })).toMatchObject([{ deployment: 'embed', pod: 'embed-0' }]);
    const shared = join({ podDevices: [{ ...POD_DEVICES, deviceIds: [`${UUID}::3`, `${UUID}::4`] }] });
    expect(shared).toMatchObject([{ pod: POD_DEVICES.pod }]);
    expect(join({ podDevices: [{ ...POD_DEVICES, deviceIds: ['GPU-2'] }] })).toEqual([]);
  });

  it('finds AMD GPUs by their address, and MIG instances by their UUID', () => {
    const amd = device({ pciBusId: '00000000:0c:00.0' });
    expect(join({ devices: [amd], podDevices: [{ ...POD_DEVICES, deviceIds: ['0000:0c:00.0'] }] })).toHaveLength(1);
    const mig = device({ mig: { instance: '5', uuid: 'MIG-5' } });
    const devices = [device({ processes: [{ pid: 1, instance: '5', memoryBytes: 3 }] }), mig];
    expect(join({ devices, podDevices: [{ ...POD_DEVICES, deviceIds: ['MIG-5'] }] })).toMatchObject([
      { uuid: UUID, instance: '5', pod: POD_DEVICES.pod, memoryBytes: 3 },
    ]);
  });

  it('tells two models on one GPU apart by their pods, and does not guess', () => {
    const devices = [
      device({
        processes: [
          { pid: 1, memoryBytes: 1 },
          { pid: 2, memoryBytes: 2 },
          { pid: 3, memoryBytes: 4 },
        ],
      }),
    ];
    const identities = new Map([
      [1, { isInPod: true, pod: 'a-0', model: 'm/a' }],
      [2, { isInPod: true, pod: 'b-0', model: 'm/b' }],
      [3, { isInPod: false, unit: 'notebook' }],
    ]);
    const podDevices = ['a-0', 'b-0'].map((pod) => ({ ...POD_DEVICES, pod, deviceIds: [UUID] }));
    const found = join({ devices, identities, podDevices }).map((load) => [
      load.deployment,
      load.model,
      load.memoryBytes,
    ]);
    expect(found).toEqual([
      ['a', 'm/a', 1],
      ['b', 'm/b', 2],
      ['notebook', undefined, 4],
    ]);
    const mixed = new Map([1, 2].map((pid) => [pid, { isInPod: true, pod: 'a-0', model: `m/${pid}` }]));
    expect(join({ devices, identities: mixed, podDevices: podDevices.slice(0, 1) })[0].model).toBeUndefined();
  });

  it('without Kubernetes names the unit, what it was told, or unknown', () => {
    const devices = [device({ processes: [{ pid: 1 }] })];
    const unit = new Map([[1, { isInPod: false, unit: 'vllm-chat', model: 'm' }]]);
    expect(join({ devices, identities: unit })).toMatchObject([
      { deployment: 'vllm-chat', model: 'm', memoryBytes: undefined },
    ]);
    expect(join({ devices, deployment: 'chat' })).toMatchObject([{ deployment: 'chat' }]);
    expect(join({ devices })).toMatchObject([{ deployment: 'unknown' }]);
  });

  it('keeps servers apart that nothing but their model tells apart, and what runs beside them', () => {
    const processes = [1, 2, 3].map((pid) => ({ pid, memoryBytes: 10 ** pid }));
    const identities = new Map([
      [1, { isInPod: false, model: 'm/a' }],
      [2, { isInPod: false, model: 'm/b' }],
      [3, { isInPod: false }],
    ]);
    const found = join({ devices: [device({ processes })], identities, deployment: 'chat' });
    expect(found.map(({ deployment, model, memoryBytes }) => [deployment, model, memoryBytes])).toEqual([
      ['chat', 'm/a', 10],
      ['chat', 'm/b', 100],
      ['chat', undefined, 1000],
    ]);
  });

  it('has nothing of a GPU that is down', () => {
    expect(join({ devices: [device({ down: 'lost', processes: [{ pid: 1 }] })] })).toEqual([]);
  });
});

it.each([
  ['chat-7c9d8b6f5d-x2x4q', 'chat'],
  ['chat-fast-7c9d8b6f5d-x2x4q', 'chat-fast'],
  ['chat-0', 'chat'],
  ['llama-3-12', 'llama-3'],
  ['agent-x2x4q', 'agent'],
  ['model-large', 'model-large'],
  ['chat', 'chat'],
])('deploymentOf(%j) is %j', (pod, deployment) => expect(deploymentOf(pod)).toBe(deployment));

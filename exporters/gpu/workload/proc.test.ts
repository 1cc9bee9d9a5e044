import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcReader, parseCgroup } from './proc.ts';

let root = '';

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-proc-'));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

function addProcess(pid: number, parent: number, argv: readonly string[], cgroup = '0::/', hostname?: string): void {
  const directory = path.join(root, String(pid));
  fs.mkdirSync(path.join(directory, 'root', 'etc'), { recursive: true });
  const fields = ['S', String(parent), ...Array.from({ length: 17 }, () => '0'), String(pid * 100)];
  fs.writeFileSync(path.join(directory, 'stat'), `${pid} (a b) c) ${fields.join(' ')}\n`);
  fs.writeFileSync(path.join(directory, 'cmdline'), argv.map((arg) => `${arg}\0`).join(''));
  fs.writeFileSync(path.join(directory, 'cgroup'), `${cgroup}\n`);
  if (hostname !== undefined) fs.writeFileSync(path.join(directory, 'root', 'etc', 'hostname'), `${hostname}\n`);
}

const POD =
  '0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1234abcd_0000_0000_0000_000000000000.slice/cri-containerd-aa.scope';

describe('ProcReader', () => {
  it('finds the pod of a worker, and the model in the command line of the server that started it', async () => {
    addProcess(10, 1, ['python3', '/usr/bin/vllm', 'serve', 'org/model'], POD, 'chat-7c9d8b6f5d-x2x4q');
    addProcess(20, 10, ['VLLM::EngineCore'], POD, 'chat-7c9d8b6f5d-x2x4q');
    addProcess(30, 20, ['VLLM::Worker_TP0'], POD, 'chat-7c9d8b6f5d-x2x4q');
    const identity = await new ProcReader(root, () => 0).identify(30);
    expect(identity).toEqual({ isInPod: true, pod: 'chat-7c9d8b6f5d-x2x4q', model: 'org/model', unit: undefined });
  });

  it('finds the unit of systemd', async () => {
    addProcess(40, 1, ['/app/llama-server', '-m', '/m/gemma.gguf'], '0::/system.slice/llm-chat.service');
    expect(await new ProcReader(root, () => 0).identify(40)).toMatchObject({
      isInPod: false,
      unit: 'llm-chat',
      model: 'gemma',
    });
  });

  it('knows nothing of a process that is gone, and does not take its successor for it', async () => {
    const reader = new ProcReader(root, () => 0);
    expect(await reader.identify(50)).toBeUndefined();
    addProcess(50, 1, ['vllm', 'serve', 'a/b']);
    expect((await reader.identify(50))?.model).toBe('a/b');
    fs.rmSync(path.join(root, '50'), { recursive: true });
    expect(await reader.identify(50)).toBeUndefined();
  });

  it('ends where parents go round in a circle', async () => {
    addProcess(60, 61, ['a']);
    addProcess(61, 60, ['b']);
    expect(await new ProcReader(root, () => 0).identify(60)).toMatchObject({ model: undefined });
  });
});

describe('parseCgroup', () => {
  it.each([
    [POD, { isInPod: true }],
    ['12:devices:/kubepods/besteffort/pod1234abcd-0000-0000-0000-000000000000/aa', { isInPod: true }],
    ['0::/system.slice/docker-0123.scope', { isInPod: false, unit: undefined }],
    ['0::/system.slice/containerd.service', { isInPod: false, unit: undefined }],
    [
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/vllm@chat.service',
      { isInPod: false, unit: 'vllm@chat' },
    ],
    ['', { isInPod: false, unit: undefined }],
  ])('of %j', (text, expected) => {
    expect(parseCgroup(text)).toEqual(expected);
  });
});

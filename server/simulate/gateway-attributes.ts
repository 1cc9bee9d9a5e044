import type { Attributes } from '@opentelemetry/api';
import { type AllowedLabel, TOKEN_BUCKETS } from '../model/generated/conventions.ts';
import type { Deployment } from './fleet.ts';
import type { GatewayRequest } from './request.ts';

/** The size class of a prompt, as the label `token_bucket` says it. */
export function tokenBucketOf(promptTokens: number): string {
  for (const bucket of TOKEN_BUCKETS) if (promptTokens <= bucket.upper) return bucket.value;
  return TOKEN_BUCKETS[TOKEN_BUCKETS.length - 1].value;
}

/** The contract's allowed labels. A type, not an interface, so that it passes for OpenTelemetry's attributes. */
export type ContractLabels = Record<AllowedLabel, string>;

/** The contract's allowed labels of a request. */
export function contractLabels(request: GatewayRequest): ContractLabels {
  return {
    model_version: request.modelVersion,
    deployment: request.deployment.name,
    customer_tier: request.tier,
    gpu_type: request.deployment.spec.gpuType.name,
    region: request.region,
  };
}

/** Attributes of the gateway's process: one of each region and deployment that it stands before. */
export function gatewayResource(deployment: Deployment): Attributes {
  return {
    'service.name': 'llm-gateway',
    'service.version': '4.2.1',
    'service.instance.id': `llm-gateway-${deployment.name}-${deployment.region}-0`,
    'deployment.environment.name': 'production',
    'cloud.region': deployment.region,
    'k8s.namespace.name': 'inference',
    'k8s.deployment.name': deployment.name,
    'k8s.pod.name': `llm-gateway-${deployment.name}-${deployment.region}-0`,
  };
}

import { addressTowards } from '../address.ts';

/** What scripts need besides, `mega-fleet/utils`. */
export { InputError, MegaError, UnavailableError } from '../errors.ts';
export {
  compareVersions,
  formatDuration,
  formatSize,
  get_all_ip_address,
  get_host_name,
  sleep,
  withDeadline,
} from '../utils.ts';

/**
 * The address of this machine that reaches the broker: that of `broker`, a URL, or of the configuration that a call
 * would use. Errors: `no_route`, `no_config`.
 */
export async function get_ip_address(broker?: string): Promise<string> {
  if (broker !== undefined) return addressTowards(broker);
  const { callerConfig } = await import('../whose.ts'); // it takes longer to load than all the rest
  return addressTowards(callerConfig().broker);
}

import { useServices, useView } from '../pane/services.ts';

/** Chooses whose data is shown; nothing where the server has no tenants. */
export function TenantPicker() {
  const { tenants, view } = useServices();
  const { tenant = '' } = useView();
  if (tenants.length === 0) return null;
  const known = tenants.includes(tenant) ? tenants : [tenant, ...tenants];
  return (
    <select
      className="button tenant"
      aria-label="Tenant"
      title="Whose data is shown"
      value={tenant}
      onChange={(event) => {
        // Nothing of one tenant's answers, filters or colors may stay on another's page.
        view.change(
          { tenant: event.target.value, filters: {}, moment: undefined, traceId: undefined, subject: undefined },
          true,
        );
        location.reload();
      }}
    >
      {known.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

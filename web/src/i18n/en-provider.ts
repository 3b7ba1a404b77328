/** Signing in at the identity provider. */
import type { ruProvider } from './ru-provider';

export const enProvider: typeof ruProvider = {
  provider: {
    submit: 'Sign in with the provider',
    failed: 'Signing in with the provider failed.',
    failures: {
      provider_unavailable: 'The identity provider does not answer. Use your password, or try later.',
      provider_refused: 'The identity provider refused.',
      sign_in_expired: 'The sign-in was begun in another browser, or too long ago. Begin again.',
      provider_unproven: "The provider's answer could not be proven. Tell your administrator.",
      no_account: 'There is no account for you here. Ask your administrator.',
      account_disabled: 'The account is disabled.',
    },
  },
};

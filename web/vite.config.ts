import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.CALL_ANALYTICS_DEV_SERVER ?? 'http://127.0.0.1:8001';

export default defineConfig({
  // Relative, so that the page also works behind a proxy under a sub-path.
  base: './',
  plugins: [react(), tailwindcss()],
  build: {
    outDir: process.env.CALL_ANALYTICS_WEB_OUT ?? 'dist',
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows no data: fonts or scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': { target: server, ws: true } } },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/test-setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    css: false,
  },
});
